//! Drawing with plotters. It rounds to whole pixels, so figures are drawn large and shown small.

use plotters::coord::Shift;
use plotters::coord::ranged1d::KeyPointHint;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{Axis, Figure, Panel, Series, Shape};

const PANEL: (u32, u32) = (860, 640);
/// Width of a letter of the legend, about.
const LETTER: u32 = 15;
const FONT: &str = "sans-serif";
const SIZE: i32 = 27;
const INK: RGBColor = RGBColor(71, 85, 105);
const GRID: RGBColor = RGBColor(226, 232, 240);
/// Colours that stay apart for the colour-blind (after Okabe and Ito), strongest first.
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
    RGBColor(150, 110, 60),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Ticks, Ticks>>;

pub(super) fn svg(figure: &Figure) -> Result<String, String> {
    let names = figure.names();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as u32;
    // A single name is said by the title.
    let legend = if names.len() > 1 { 90 + LETTER * longest } else { 0 };
    let width = PANEL.0 * figure.panels.len() as u32;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width + legend, PANEL.1)).into_drawing_area();
        draw(figure, &names, &area, width).map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

fn draw(figure: &Figure, names: &[&str], area: &Area<'_>, width: u32) -> Drawn {
    area.fill(&WHITE)?;
    let (panels, legend) = area.split_horizontally(width);
    for (panel, area) in figure.panels.iter().zip(panels.split_evenly((1, figure.panels.len()))) {
        draw_panel(panel, names, &area)?;
    }
    if names.len() > 1 {
        draw_legend(figure, names, &legend)?;
    }
    area.present()?;
    Ok(())
}

/// A linear coordinate whose numbers stand where an axis wants them.
struct Ticks {
    range: RangedCoordf64,
    places: Vec<f64>,
}

impl Ticks {
    fn new(axis: &Axis, ends: (f64, f64)) -> Self {
        Self { range: (ends.0..ends.1).into(), places: axis.ticks(ends) }
    }
}

impl Ranged for Ticks {
    type FormatOption = plotters::coord::ranged1d::NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.places.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.range()
    }
}

impl plotters::coord::ranged1d::ValueFormatter<f64> for Ticks {}

fn draw_panel(panel: &Panel, names: &[&str], area: &Area<'_>) -> Drawn {
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let heights = || panel.series.iter().flat_map(|s| s.ends.iter().flat_map(|e| [e.0, e.1]));
    let x = panel.x.ends(points().map(|(x, _)| *x));
    let y = panel.y.ends(points().map(|(_, y)| *y).chain(heights()));
    let text = (FONT, SIZE).into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, (FONT, 31).into_font().color(&INK))
        .margin(18)
        .x_label_area_size(82)
        .y_label_area_size(104)
        .build_cartesian_2d(Ticks::new(&panel.x, x), Ticks::new(&panel.y, y))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_label_formatter(&|place| panel.x.text(*place))
        .y_label_formatter(&|place| panel.y.text(*place))
        .label_style(text)
        .x_desc(&panel.x.label)
        .y_desc(&panel.y.label)
        .draw()?;
    for series in &panel.series {
        let number = names.iter().position(|name| *name == series.name).unwrap_or(0);
        draw_series(series, COLORS[number % COLORS.len()], panel, &mut chart)?;
    }
    Ok(())
}

fn draw_series(
    series: &Series,
    color: RGBColor,
    panel: &Panel,
    chart: &mut Chart<'_, '_>,
) -> Drawn {
    let place = |(x, y): (f64, f64)| Some((panel.x.place(x)?, panel.y.place(y)?));
    let placed: Vec<(f64, f64)> = series.points.iter().filter_map(|point| place(*point)).collect();
    let ends = series.points.iter().zip(&series.ends);
    let ends: Vec<[(f64, f64); 2]> = ends
        .filter_map(|((x, _), (low, high))| Some([place((*x, *low))?, place((*x, *high))?]))
        .collect();
    match series.shape {
        Shape::Line | Shape::Dashed => {
            if !ends.is_empty() {
                let around = ends.iter().map(|e| e[0]).chain(ends.iter().rev().map(|e| e[1]));
                let around: Vec<(f64, f64)> = around.collect();
                chart.draw_series([Polygon::new(around, color.mix(0.16))])?;
            }
            let stroke = color.stroke_width(5);
            if series.shape == Shape::Line {
                chart.draw_series(LineSeries::new(placed, stroke))?;
            } else {
                chart.draw_series(DashedLineSeries::new(placed, 14, 10, stroke))?;
            }
        }
        Shape::Dots => {
            let bar = |ends: &[(f64, f64); 2]| PathElement::new(*ends, color.stroke_width(4));
            chart.draw_series(ends.iter().map(bar))?;
            let dot = |point: &(f64, f64)| Circle::new(*point, 9, color.filled());
            chart.draw_series(placed.iter().map(dot))?;
        }
    }
    Ok(())
}

fn draw_legend(figure: &Figure, names: &[&str], area: &Area<'_>) -> Drawn {
    let text = (FONT, SIZE).into_font().color(&INK);
    for (number, name) in names.iter().enumerate() {
        let color = COLORS[number % COLORS.len()];
        let y = 90 + 46 * number as i32;
        let all = || figure.panels.iter().flat_map(|panel| &panel.series);
        let shape = all().find(|series| series.name == *name).map(|series| series.shape);
        match shape {
            Some(Shape::Dots) => area.draw(&Circle::new((30, y), 9, color.filled()))?,
            Some(Shape::Dashed) => {
                for x in [6, 26, 46] {
                    area.draw(&PathElement::new([(x, y), (x + 12, y)], color.stroke_width(5)))?;
                }
            }
            _ => area.draw(&PathElement::new([(6, y), (58, y)], color.stroke_width(6)))?,
        }
        area.draw(&Text::new((*name).to_owned(), (74, y - 14), text.clone()))?;
    }
    Ok(())
}
