//! Figures: lines with bands and points with intervals, side by side over one legend, as SVG.

mod axis;
mod draw;

pub use axis::Axis;

use crate::error::LabError;

/// Panels side by side with one legend; a name has one colour in all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// From left to right.
    pub panels: Vec<Panel>,
}

/// One set of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// Horizontal.
    pub x: Axis,
    /// Vertical.
    pub y: Axis,
    /// What is drawn, the first one undermost.
    pub series: Vec<Series>,
}

/// Points with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name in the legend; series of one name share a colour.
    pub name: String,
    /// How they are drawn.
    pub shape: Shape,
    /// `(x, y)`; what is not finite is left out.
    pub points: Vec<(f64, f64)>,
    /// Lower and upper end at each point: a band around a line, a bar through a dot; empty for none.
    pub ends: Vec<(f64, f64)>,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A line.
    Line,
    /// A dashed line, for what is compared with.
    Dashed,
    /// Dots.
    Dots,
}

impl Series {
    /// A line without a band.
    #[must_use]
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), shape: Shape::Line, points, ends: Vec::new() }
    }

    /// A dashed line.
    #[must_use]
    pub fn dashed(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { shape: Shape::Dashed, ..Self::line(name, points) }
    }

    /// Dots.
    #[must_use]
    pub fn dots(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { shape: Shape::Dots, ..Self::line(name, points) }
    }

    /// With a lower and an upper end at each point.
    ///
    /// # Panics
    /// If there are not as many as points.
    #[must_use]
    pub fn within(self, ends: Vec<(f64, f64)>) -> Self {
        assert_eq!(ends.len(), self.points.len(), "every point has a lower and an upper end");
        Self { ends, ..self }
    }
}

impl Figure {
    /// The figure as an `<svg>` document.
    ///
    /// # Errors
    /// [`LabError::Figure`] if there is nothing to draw.
    pub fn svg(&self, name: &str) -> Result<String, LabError> {
        let refuse = |reason: String| LabError::Figure { figure: name.to_owned(), reason };
        if self.panels.is_empty() {
            return Err(refuse("it has no panels".to_owned()));
        }
        draw::svg(self).map_err(refuse)
    }

    /// Names in the order of their first use.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(series: Vec<Series>) -> Figure {
        let panel = |x: Axis| Panel {
            title: "title".into(),
            x,
            y: Axis::named("share").between(0.0, 1.0),
            series: series.clone(),
        };
        let arms = ["one".to_owned(), "two".to_owned()];
        let axes = [Axis::named("steps"), Axis::named("size").logarithmic(), Axis::of_names(&arms)];
        Figure { panels: axes.map(panel).to_vec() }
    }

    #[test]
    fn lines_bands_dots_and_names_are_drawn() {
        let points = vec![(1.0, 0.2), (2.0, 0.4), (4.0, f64::NAN)];
        let ends = points.iter().map(|(_, y)| (y - 0.1, y + 0.1)).collect::<Vec<_>>();
        let svg = figure(vec![
            Series::line("A & B", points.clone()).within(ends.clone()),
            Series::dashed("dashed", points.clone()),
            Series::dots("dots", points).within(ends),
        ])
        .svg("test")
        .unwrap();
        for part in ["<svg", "A &amp; B", "dashed", "<circle", "<polygon", "steps", "two", "</svg>"]
        {
            assert!(svg.contains(part), "{part} is missing");
        }
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn empty_panels_are_drawn_and_empty_figures_refused() {
        assert!(figure(Vec::new()).svg("test").unwrap().contains("title"));
        let error = Figure { panels: Vec::new() }.svg("nothing").unwrap_err().to_string();
        assert_eq!(error, "drawing nothing: it has no panels");
    }
}
