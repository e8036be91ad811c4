//! Small charts as SVG, drawn with plotters.

use plotters::coord::Shift;
use plotters::prelude::*;

/// Size in pixels of a chart; the page scales it to its column.
const SIZE: (u32, u32) = (460, 240);
const INK: RGBColor = RGBColor(71, 85, 105);
const GRID: RGBColor = RGBColor(226, 232, 240);
const FONT: &str = "sans-serif";

/// Colours that stay apart for the colour-blind (after Okabe and Ito), strongest first.
pub(super) const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A running mean over the points, which shine through behind it.
    Smoothed,
    /// Lines from point to point, with dots.
    Dotted,
    /// Bars from 0.
    Bars,
}

/// Points with a name and a colour.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) color: RGBColor,
    pub(super) mark: Mark,
    pub(super) points: Vec<(f64, f64)>,
}

/// What is drawn over which axes.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) x_label: &'static str,
    /// Ends of the vertical axis; those of the data if there are none.
    pub(super) y_range: Option<(f64, f64)>,
    pub(super) series: Vec<Series>,
}

impl Chart {
    /// The chart as an `<svg>` element; empty if there is nothing to draw.
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        if points().next().is_none() {
            return String::new();
        }
        let mut svg = String::new();
        // Drawing into a string fails on impossible sizes only, and these are constants.
        let drawn = self.draw(SVGBackend::with_string(&mut svg, SIZE).into_drawing_area());
        drawn.map(|()| svg).unwrap_or_default()
    }

    fn draw(
        &self,
        area: DrawingArea<SVGBackend<'_>, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'_> as DrawingBackend>::ErrorType>> {
        let (x, y) = (self.x_range(), self.y_range());
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(14)
            .x_label_area_size(38)
            .y_label_area_size(48)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&|value| label(*value))
            .y_label_formatter(&|value| label(*value))
            .label_style((FONT, 13).into_font().color(&INK))
            .x_desc(self.x_label)
            .draw()?;
        for series in &self.series {
            match series.mark {
                Mark::Smoothed => {
                    let raw = series.points.iter().copied();
                    chart.draw_series(LineSeries::new(raw, series.color.mix(0.22)))?;
                    let line = series.color.stroke_width(2);
                    chart.draw_series(LineSeries::new(smoothed(&series.points), line))?;
                }
                Mark::Dotted => {
                    let line = series.color.stroke_width(2);
                    chart.draw_series(LineSeries::new(series.points.iter().copied(), line))?;
                    let dot = |point: &(f64, f64)| Circle::new(*point, 3, series.color.filled());
                    chart.draw_series(series.points.iter().map(dot))?;
                }
                Mark::Bars => {
                    let half = self.bar_width() / 2.0;
                    let bar = |(x, y): &(f64, f64)| {
                        let corners = [(x - half, 0.0), (x + half, *y)];
                        Rectangle::new(corners, series.color.mix(0.45).filled())
                    };
                    chart.draw_series(series.points.iter().map(bar))?;
                }
            }
        }
        area.present()
    }

    fn x_range(&self) -> (f64, f64) {
        let half = if self.has_bars() { self.bar_width() / 2.0 } else { 0.0 };
        let (low, high) = ends(self.series.iter().flat_map(|s| &s.points).map(|(x, _)| *x));
        if low < high { (low - half, high + half) } else { (low - 0.5, high + 0.5) }
    }

    fn y_range(&self) -> (f64, f64) {
        if let Some(range) = self.y_range {
            return range;
        }
        let (low, high) = ends(self.series.iter().flat_map(|s| &s.points).map(|(_, y)| *y));
        let low = if self.has_bars() { low.min(0.0) } else { low };
        let room = if low < high { 0.06 * (high - low) } else { 0.5 * high.abs().max(1e-3) };
        (if low == 0.0 { 0.0 } else { low - room }, high + room)
    }

    fn has_bars(&self) -> bool {
        self.series.iter().any(|series| series.mark == Mark::Bars)
    }

    /// Four fifths of the smallest distance between bars.
    fn bar_width(&self) -> f64 {
        let bars = self.series.iter().filter(|series| series.mark == Mark::Bars);
        let gaps = bars.flat_map(|bars| bars.points.windows(2).map(|pair| pair[1].0 - pair[0].0));
        let gap = gaps.fold(f64::INFINITY, f64::min);
        if gap.is_finite() { 0.8 * gap } else { 0.1 }
    }
}

/// Smallest and largest of the finite numbers.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = finite.fold(start, |(low, high), v| (low.min(v), high.max(v)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// A centred running mean over a twentieth of the points on either side.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = points.len() / 20;
    let mean = |index: usize| {
        let reach = reach.min(index).min(points.len() - 1 - index);
        let window = &points[index - reach..=index + reach];
        window.iter().map(|(_, y)| y).sum::<f64>() / window.len() as f64
    };
    points.iter().enumerate().map(|(index, (x, _))| (*x, mean(index))).collect()
}

/// `0`, `0.25`, `120`, `1e-5`.
fn label(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        return "0".to_owned();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.1e}");
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 5) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(mark: Mark, points: Vec<(f64, f64)>) -> Chart {
        let series = Series { name: "a".into(), color: COLORS[0], mark, points };
        Chart { x_label: "step", y_range: None, series: vec![series] }
    }

    #[test]
    fn every_mark_draws_and_nothing_draws_nothing() {
        for mark in [Mark::Smoothed, Mark::Dotted, Mark::Bars] {
            assert_eq!(chart(mark, vec![]).svg(), "");
            for points in [vec![(1.0, 0.0)], vec![(1.0, 2.0), (2.0, 2.0)], vec![(0.0, f64::NAN)]] {
                let svg = chart(mark, points.clone()).svg();
                assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{points:?}: {svg}");
            }
        }
    }

    #[test]
    fn a_running_mean_by_hand() {
        let points: Vec<(f64, f64)> = (0..40).map(|x| (f64::from(x), f64::from(x % 2))).collect();
        let smooth = smoothed(&points);
        // Two on either side: three of five are odd at odd places. The first stands alone.
        assert_eq!((smooth[0], smooth[10], smooth[11]), ((0.0, 0.0), (10.0, 0.4), (11.0, 0.6)));
    }

    #[test]
    fn labels_are_short() {
        let texts = [0.0, 0.25, 120.0, 1.5, 1e-5, -0.4, 4.0e7].map(label);
        assert_eq!(texts, ["0", "0.25", "120", "1.5", "1.0e-5", "-0.4", "4.0e7"]);
    }
}
