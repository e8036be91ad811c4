//! Draws what the weightings and the losses do: how hard a prompt pulls by its success rate, and how
//! hard a token pulls by its importance ratio. The book's figures are made by this program.
//!
//! ```text
//! cargo run --release --example curves                   # into the folder `curves`
//! cargo run --release --example curves -- --out book/src/images
//! ```
//!
//! Nothing is typed in twice: the curves are what the library computes, the losses by automatic
//! differentiation.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::{Device, Tensor, TensorData};
use clap::Parser;
use fireproof::advantage::{
    DeviationR, FocalR, LinearR, PlateauR, PromptWeighting, SqrtR, UniformR, VarianceR,
};
use fireproof::kernels::resolve_device;
use fireproof::losses::{
    AspoSurrogate, BatchConstants, ClippedSurrogate, ClippedWeight, DivergenceMasked,
    GeometricMean, NegativeAware, PolicyBatch, PolicyLoss, PromptWeight, Reinforce, SoftGate,
};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Pixels; plotters rounds to whole ones, so the figures are drawn large and shown small.
const SIZE: (u32, u32) = (2000, 680);
const LEGEND: u32 = 360;
const FONT: (&str, i32) = ("sans-serif", 28);
const INK: RGBColor = RGBColor(71, 85, 105);
const GRID: RGBColor = RGBColor(226, 232, 240);
/// Colours that stay apart for the colour-blind (after Okabe and Ito).
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

/// Draw the weights of prompts and of tokens as SVG.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    /// Folder for the figures; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "curves")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match draw_all(&Arguments::parse().out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw_all(out: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(out).map_err(|error| format!("creating {}: {error}", out.display()))?;
    let device = resolve_device(Some("flex"))?.device;
    for (name, panels) in [
        ("prompt-weights.svg", prompt_weights()),
        ("token-weights.svg", token_weights(&clipping(), &device)),
        ("token-weights-more.svg", token_weights(&beyond_clipping(), &device)),
    ] {
        let path = out.join(name);
        draw(&path, &panels).map_err(|error| format!("writing {}: {error}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// One set of axes with its curves.
struct Panel {
    title: &'static str,
    x_label: &'static str,
    y: (f64, f64),
    curves: Vec<Curve>,
}

struct Curve {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// Effective coefficient, and the advantage of a right completion, by success rate.
fn prompt_weights() -> [Panel; 2] {
    let focal = FocalR { gamma: 0.5, base: DeviationR };
    let weightings: [(&'static str, &dyn PromptWeighting); 7] = [
        ("centred, RLOO", &VarianceR),
        ("GRPO", &DeviationR),
        ("F-GRPO 0.5", &focal),
        ("Linear-R", &LinearR),
        ("Sqrt-R", &SqrtR),
        ("Uniform-R", &UniformR),
        ("Plateau-R", &PlateauR { knee: 0.5 }),
    ];
    let rates = || (1..200).map(|step| f64::from(step) / 200.0);
    let curves = |of: &dyn Fn(&dyn PromptWeighting, f64) -> f64| {
        let curve = |(name, weighting): &(&'static str, &dyn PromptWeighting)| Curve {
            name,
            points: rates().map(|rho| (rho, of(*weighting, rho))).collect(),
        };
        weightings.iter().map(curve).collect()
    };
    [
        Panel {
            title: "How hard a prompt pulls: c",
            x_label: "success rate of the group",
            y: (0.0, 1.05),
            curves: curves(&|weighting, rho| weighting.coefficient(rho)),
        },
        Panel {
            title: "Advantage of a right completion: c / rate",
            x_label: "success rate of the group",
            y: (0.0, 8.0),
            curves: curves(&|weighting, rho| weighting.right(rho)),
        },
    ]
}

type Losses = Vec<(&'static str, Box<dyn PolicyLoss>)>;

fn clipping() -> Losses {
    let dual = ClippedSurrogate { dual_clip: Some(3.0), ..ClippedSurrogate::default() };
    let dapo = ClippedSurrogate { epsilon_high: 0.28, ..ClippedSurrogate::default() };
    vec![
        ("GRPO, clip 0.2", Box::new(ClippedSurrogate::default())),
        ("DAPO, 0.2 and 0.28", Box::new(dapo)),
        ("verl, dual clip 3", Box::new(dual)),
        ("ASPO", Box::new(AspoSurrogate::default())),
    ]
}

fn beyond_clipping() -> Losses {
    let nft = NegativeAware { prompt_weight: PromptWeight::Even, ..NegativeAware::default() };
    vec![
        ("REINFORCE", Box::new(Reinforce)),
        ("CISPO, cap 2", Box::new(ClippedWeight { highest: 2.0, ..ClippedWeight::default() })),
        ("SAPO", Box::new(SoftGate::default())),
        ("GMPO, one token", Box::new(GeometricMean::default())),
        ("DPPO, from 0.3", Box::new(DivergenceMasked::default())),
        ("NFT at rate 1/2", Box::new(nft)),
    ]
}

/// Gradient in the log-probability, as a share of the advantage, for good and for bad tokens.
fn token_weights(losses: &Losses, device: &Device) -> [Panel; 2] {
    let panel = |title, advantage: f32| Panel {
        title,
        x_label: "importance ratio",
        y: (0.0, 3.2),
        curves: losses
            .iter()
            .map(|(name, loss)| Curve { name, points: pulls(loss.as_ref(), advantage, device) })
            .collect(),
    };
    [panel("Pull of a good token (A = 1)", 1.0), panel("Pull of a bad token (A = -1)", -1.0)]
}

/// `(R, |d loss / d logprob|)` of a token that the behaviour policy gave a probability of 0.3.
fn pulls(loss: &dyn PolicyLoss, advantage: f32, device: &Device) -> Vec<(f64, f64)> {
    let ratios: Vec<f32> = (1..320).map(|step| step as f32 / 100.0).collect();
    let column = |values: Vec<f32>, device: &Device| {
        let rows = values.len();
        Tensor::<2>::from_data(TensorData::new(values, [rows, 1]), device)
    };
    let same = |value: f32| column(vec![value; ratios.len()], device);
    let start = 0.3f32.ln();
    let logprobs = ratios.iter().map(|ratio| start + ratio.ln()).collect();
    let logprobs = column(logprobs, &device.clone().autodiff()).require_grad();
    let constants = BatchConstants {
        plan: vec![same(f32::from(advantage > 0.0)), same(0.5)],
        ..BatchConstants::new(same(start), same(advantage))
    };
    let batch = PolicyBatch::new(logprobs.clone(), None, constants);
    let gradients = loss.surrogate(&batch).loss.sum().backward();
    let gradient = logprobs.grad(&gradients).expect("the loss depends on the log-probabilities");
    let pull: Vec<f32> = gradient.into_data().try_to_vec_as().expect("gradients are floats");
    ratios.iter().zip(pull).map(|(r, pull)| (f64::from(*r), f64::from(pull.abs()))).collect()
}

fn draw(path: &Path, panels: &[Panel; 2]) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let (both, legend) = area.split_horizontally(SIZE.0 - LEGEND);
        for (panel, area) in panels.iter().zip(both.split_evenly((1, 2))) {
            draw_panel(panel, &area)?;
        }
        draw_legend(&panels[0].curves, &legend)?;
        area.present()?;
    }
    Ok(std::fs::write(path, svg)?)
}

fn draw_panel(
    panel: &Panel,
    area: &DrawingArea<SVGBackend<'_>, Shift>,
) -> Result<(), Box<dyn Error>> {
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let last = points().map(|(x, _)| *x).fold(0.0, f64::max);
    let text = FONT.into_font().color(&INK);
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, (FONT.0, 32).into_font().color(&INK))
        .margin(20)
        .x_label_area_size(84)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..last, panel.y.0..panel.y.1)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(6)
        .y_labels(5)
        .label_style(text)
        .x_desc(panel.x_label)
        .draw()?;
    for (number, (curve, color)) in panel.curves.iter().zip(COLORS).enumerate() {
        let visible = curve.points.iter().copied().filter(|(_, y)| *y <= panel.y.1);
        chart.draw_series(LineSeries::new(visible, stroke(number, color)))?;
    }
    Ok(())
}

/// Curves may lie on each other: the later ones are thinner.
fn stroke(number: usize, color: RGBColor) -> ShapeStyle {
    color.stroke_width(14u32.saturating_sub(3 * number as u32).max(4))
}

fn draw_legend(
    curves: &[Curve],
    area: &DrawingArea<SVGBackend<'_>, Shift>,
) -> Result<(), Box<dyn Error>> {
    let text = FONT.into_font().color(&INK);
    for (number, (curve, color)) in curves.iter().zip(COLORS).enumerate() {
        let y = 110 + 48 * number as i32;
        area.draw(&PathElement::new([(10, y), (60, y)], stroke(number, color)))?;
        area.draw(&Text::new(curve.name, (76, y - 14), text.clone()))?;
    }
    Ok(())
}
