//! Forecasts of success beside whatever rule selects.

use fireproof_selection::{
    Forecast, Observation, PosteriorSampling, PosteriorSettings, PromptSelector, SelectError,
    calibration,
};
use fireproof_trajectory::PromptId;
use serde::{Deserialize, Serialize};

use super::forecasting;

/// Intervals of predictions.
const BINS: usize = 10;

/// Forecasts of one interval of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForecastBin {
    /// Completions.
    pub completions: u64,
    /// Mean prediction, each completion counting once.
    pub predicted: f64,
    /// Share of right completions.
    pub observed: f64,
}

/// The bins of several runs together, and the expected calibration error over them: the mean over
/// completions of `|predicted - observed|` of the merged bin.
#[must_use]
pub fn merged_error(runs: &[Vec<ForecastBin>]) -> (Vec<ForecastBin>, f64) {
    let merged: Vec<ForecastBin> = (0..BINS)
        .map(|bin| {
            let all = || runs.iter().filter_map(|run| run.get(bin));
            let completions: u64 = all().map(|bin| bin.completions).sum();
            let mean = |of: fn(&ForecastBin) -> f64| {
                let sum: f64 = all().map(|bin| of(bin) * bin.completions as f64).sum();
                if completions == 0 { 0.0 } else { sum / completions as f64 }
            };
            let (predicted, observed) = (mean(|bin| bin.predicted), mean(|bin| bin.observed));
            ForecastBin { completions, predicted, observed }
        })
        .collect();
    let all: u64 = merged.iter().map(|bin| bin.completions).sum();
    let gap = |bin: &ForecastBin| (bin.predicted - bin.observed).abs() * bin.completions as f64;
    let error = merged.iter().map(gap).sum::<f64>() / all.max(1) as f64;
    (merged, error)
}

/// The posterior of `MoPPS` as an onlooker: it forecasts each training group before it is seen.
#[derive(Debug)]
pub(super) struct Forecaster {
    posterior: PosteriorSampling,
    prior: PosteriorSettings,
    forecasts: Vec<Forecast>,
}

impl Forecaster {
    pub(super) fn new(pool: &[(PromptId, u32)]) -> Result<Self, SelectError> {
        let prompts = pool.iter().map(|(prompt, _)| *prompt).collect();
        let prior = forecasting();
        let posterior = PosteriorSampling::new(prompts, prior)?;
        Ok(Self { posterior, prior, forecasts: Vec::new() })
    }

    /// Compares forecasts with groups, then learns from them. A prompt never seen has no forecast:
    /// the prior says nothing about it. Probes are learned from and not forecast.
    pub(super) fn seen(&mut self, groups: &[Observation<'_>]) {
        let unknown = (self.prior.prior_alpha, self.prior.prior_beta);
        for Observation { group, probe, .. } in groups {
            if !probe && self.posterior.posterior(group.prompt) != unknown {
                self.forecasts.push(Forecast {
                    predicted: self.posterior.mean(group.prompt),
                    right: group.successes(),
                    completions: group.len(),
                });
            }
        }
        self.posterior.observe(groups);
    }

    /// Predicted against observed success; no bins if nothing was forecast.
    pub(super) fn bins(&self) -> Result<Vec<ForecastBin>, SelectError> {
        if self.forecasts.is_empty() {
            return Ok(Vec::new());
        }
        let found = calibration(&self.forecasts, BINS)?;
        let own = |bin: &fireproof_selection::CalibrationBin| ForecastBin {
            completions: bin.completions as u64,
            predicted: bin.predicted,
            observed: bin.observed,
        };
        Ok(found.bins.iter().map(own).collect())
    }
}

#[cfg(test)]
mod tests {
    use fireproof_trajectory::GroupView;

    use super::*;

    #[test]
    fn bins_of_several_runs_merge_by_completions() {
        let bin =
            |completions, predicted, observed| ForecastBin { completions, predicted, observed };
        let mut runs = vec![vec![ForecastBin::default(); BINS]; 2];
        runs[0][3] = bin(10, 0.3, 0.4);
        runs[1][3] = bin(30, 0.38, 0.3);
        runs[1][9] = bin(40, 0.95, 1.0);
        let (merged, error) = merged_error(&runs);
        // Predicted (3 + 11.4) / 40, observed (4 + 9) / 40.
        assert!((merged[3].predicted - 0.36).abs() < 1e-12);
        assert!((merged[3].observed - 0.325).abs() < 1e-12);
        // (40 * 0.035 + 40 * 0.05) / 80
        assert!((error - 0.0425).abs() < 1e-12);
    }

    #[test]
    fn the_first_group_of_a_prompt_is_learned_from_and_not_forecast() {
        let mut forecaster = Forecaster::new(&[(PromptId(0), 0)]).unwrap();
        let correct = [true, true, true, false];
        let group = GroupView {
            prompt: PromptId(0),
            rewards: &[0.0; 4],
            correct: &correct,
            lengths: &[1; 4],
            truncated: &[false; 4],
        };
        let seen = [Observation { group, gradient: None, probe: false, step: 0 }];
        forecaster.seen(&seen);
        assert!(forecaster.bins().unwrap().is_empty());
        forecaster.seen(&seen);
        // Beta(1 + 3, 1 + 1): mean 2/3; three of four were right.
        let bins = forecaster.bins().unwrap();
        assert!((bins[6].predicted - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((bins[6].completions, bins[6].observed), (4, 0.75));
    }
}
