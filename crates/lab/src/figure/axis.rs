//! Axes: linear, logarithmic, or one place for each name.

/// An axis of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// Both ends; those of the data if there are none.
    pub range: Option<(f64, f64)>,
    /// Equal distances are equal ratios; what is not positive is left out.
    pub log: bool,
    /// Names of the places 0, 1, 2, ... if it measures nothing.
    pub names: Vec<String>,
}

/// About so many numbers stand along an axis.
const TICKS: f64 = 5.0;

impl Axis {
    /// A linear axis over the data.
    #[must_use]
    pub fn named(label: impl Into<String>) -> Self {
        Self { label: label.into(), range: None, log: false, names: Vec::new() }
    }

    /// An axis with a place for each name: 0 is the first.
    #[must_use]
    pub fn of_names(names: &[String]) -> Self {
        let range = Some((-0.6, names.len() as f64 - 0.4));
        Self { names: names.to_vec(), range, ..Self::named("") }
    }

    /// With fixed ends.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..self }
    }

    /// With equal distances for equal ratios.
    #[must_use]
    pub fn logarithmic(self) -> Self {
        Self { log: true, ..self }
    }

    /// Where a value stands in the figure's own units; `None` where it cannot stand.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let place = if self.log { value.log10() } else { value };
        place.is_finite().then_some(place)
    }

    /// Both ends in the figure's own units, with some room around the data.
    pub(super) fn ends(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        if let Some((low, high)) = self.range {
            return (self.place(low).unwrap_or(0.0), self.place(high).unwrap_or(1.0));
        }
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = values
            .filter_map(|value| self.place(value))
            .fold(start, |(low, high), v| (low.min(v), high.max(v)));
        match high - low {
            span if span > 0.0 => (low - 0.04 * span, high + 0.04 * span),
            0.0 => (low - 0.5, high + 0.5),
            _ => (0.0, 1.0),
        }
    }

    /// Where numbers stand between two ends, in the figure's own units.
    pub(super) fn ticks(&self, (low, high): (f64, f64)) -> Vec<f64> {
        if !self.names.is_empty() {
            return (0..self.names.len()).map(|index| index as f64).collect();
        }
        if self.log && high - low > 0.7 {
            let marks: &[f64] = if high - low > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let decades = low.floor() as i32..=high.ceil() as i32;
            let places = decades.flat_map(|d| marks.iter().map(move |m| m.log10() + f64::from(d)));
            return places.filter(|place| (low..=high).contains(place)).collect();
        }
        let rough = (high - low) / TICKS;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough);
        let step = step.unwrap_or(rough);
        let first = (low / step - 1e-9).ceil() as i64;
        (first..).map(|n| n as f64 * step).take_while(|tick| *tick <= high + 1e-9 * step).collect()
    }

    /// The text at a place.
    pub(super) fn text(&self, place: f64) -> String {
        if self.names.is_empty() {
            return number(if self.log { 10f64.powf(place) } else { place });
        }
        self.names.get(place.round() as usize).cloned().unwrap_or_default()
    }
}

/// `0`, `0.25`, `120`, `1e-5`, `20k`.
fn number(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        return "0".to_owned();
    }
    if !(1e-3..1e7).contains(&size) {
        return format!("{value:.0e}");
    }
    if size >= 1e4 {
        return format!("{}k", number(value / 1e3));
    }
    let decimals = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.25, 120.0, 1.5, 1e-5, -0.4, 20_000.0, 1e8].map(number);
        assert_eq!(texts, ["0", "0.25", "120", "1.5", "1e-5", "-0.4", "20k", "1e8"]);
    }

    #[test]
    fn ticks_are_round_and_within() {
        let linear = Axis::named("x");
        assert_eq!(linear.ticks((0.0, 1.0)), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(linear.ticks((3.0, 250.0)), [50.0, 100.0, 150.0, 200.0, 250.0]);
        let log = Axis::named("x").logarithmic();
        let texts: Vec<String> = log.ticks((0.0, 2.0)).iter().map(|t| log.text(*t)).collect();
        assert_eq!(texts, ["1", "2", "5", "10", "20", "50", "100"]);
        let wide: Vec<String> = log.ticks((0.0, 4.0)).iter().map(|t| log.text(*t)).collect();
        assert_eq!(wide, ["1", "10", "100", "1000", "10k"]);
    }

    #[test]
    fn ends_leave_room_and_ignore_what_cannot_stand() {
        let (low, high) = Axis::named("x").ends([0.0, 1.0, f64::NAN].into_iter());
        assert_eq!((low, high), (-0.04, 1.04));
        let (low, high) = Axis::named("x").logarithmic().ends([0.0, 1.0, 100.0].into_iter());
        assert!((low + 0.08).abs() < 1e-12 && (high - 2.08).abs() < 1e-12);
        assert_eq!(Axis::named("x").ends(std::iter::empty()), (0.0, 1.0));
    }
}
