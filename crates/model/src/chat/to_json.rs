//! `tojson` as `transformers` defines it: Python's `json.dumps`.

use std::collections::BTreeMap;
use std::io;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// The shortest digits that read back as the number, with at least two of an exponent.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, power) = scientific.split_once('e').expect("the format has an exponent");
    let exponent: i32 = power.parse().expect("the exponent is a whole number");
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// `json.dumps(value, ensure_ascii=False, indent=None, sort_keys=False)`.
pub(super) fn to_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let ascii: Option<bool> = options.get("ensure_ascii")?;
    let sorted: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    if ascii == Some(true) {
        let text = "tojson(ensure_ascii=true) is not supported";
        return Err(Error::new(ErrorKind::InvalidOperation, text));
    }
    let value = if sorted == Some(true) { in_order(value)? } else { value.clone() };
    let failed = |error: String| Error::new(ErrorKind::BadSerialization, error);
    let mut text = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut text, Dumps { indent, depth: 0, empty: true });
    value.serialize(&mut serializer).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|error| failed(error.to_string()))?;
    Ok(Value::from_safe_string(text))
}

/// A value with the keys of all its objects sorted.
fn in_order(value: &Value) -> Result<Value, Error> {
    Ok(match value.kind() {
        ValueKind::Map => {
            let entry = |key: Value| Ok((key.to_string(), in_order(&value.get_item(&key)?)?));
            let entries = value.try_iter()?.map(entry);
            let entries = entries.collect::<Result<BTreeMap<String, Value>, Error>>()?;
            Value::from_pairs(entries)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter()?.map(|item| in_order(&item));
            Value::from(items.collect::<Result<Vec<Value>, Error>>()?)
        }
        _ => value.clone(),
    })
}

/// Python's separators: `, ` and `: ` on one line, or a line for each item.
struct Dumps {
    indent: Option<usize>,
    depth: usize,
    /// Whether nothing stands between the last bracket and here.
    empty: bool,
}

impl Dumps {
    fn open<W: ?Sized + io::Write>(&mut self, w: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.empty = true;
        w.write_all(bracket)
    }

    fn close<W: ?Sized + io::Write>(&mut self, w: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if !self.empty {
            self.new_line(w)?;
        }
        self.empty = false;
        w.write_all(bracket)
    }

    fn new_line<W: ?Sized + io::Write>(&self, w: &mut W) -> io::Result<()> {
        let Some(indent) = self.indent else { return Ok(()) };
        w.write_all(b"\n")?;
        w.write_all(" ".repeat(indent * self.depth).as_bytes())
    }

    fn item<W: ?Sized + io::Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.empty = false;
        match (first, self.indent) {
            (true, _) => {}
            (false, Some(_)) => w.write_all(b",")?,
            (false, None) => w.write_all(b", ")?,
        }
        self.new_line(w)
    }
}

impl Formatter for Dumps {
    fn begin_array<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.open(w, b"[")
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(w, first)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.close(w, b"]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.open(w, b"{")
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(w, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.close(w, b"}")
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, w: &mut W, value: f64) -> io::Result<()> {
        w.write_all(float(value).as_bytes())
    }
}
