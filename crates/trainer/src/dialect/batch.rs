//! A batch to be explained, as it stands in a file.

use serde::Deserialize;

/// Completions of some prompts with their scores, for [`Dialect::explain`](super::Dialect::explain).
///
/// As JSON: `{"groups": [[{"reward": 1, "logprobs": [-0.7], "behaviour": [-0.5]}, ..], ..]}`, and
/// what follows here. Reading it checks it, so that an error names line, field and value.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawBatch")]
pub struct DialectBatch {
    /// The completions of each prompt.
    pub groups: Vec<Vec<DialectCompletion>>,
    /// How far ratios may move below and above 1 in every dialect that clips around 1; its own
    /// default if absent.
    pub clip: Option<[f64; 2]>,
    /// Weight of the divergence from the reference policy; 0 if absent.
    pub kl_coefficient: f64,
    /// The limit on completion tokens, by which Dr.GRPO divides; the longest row if absent.
    pub max_length: Option<usize>,
}

/// One completion, token by token.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawCompletion")]
pub struct DialectCompletion {
    /// Its reward.
    pub reward: f32,
    /// Its advantage, if the batch brings advantages in place of rewards.
    pub advantage: Option<f64>,
    /// Log-probabilities under the current policy.
    pub logprobs: Vec<f64>,
    /// Log-probabilities under the behaviour policy.
    pub behaviour: Vec<f64>,
    /// Log-probabilities under the reference policy.
    pub reference: Option<Vec<f64>>,
    /// Which tokens train; all if absent.
    pub mask: Option<Vec<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch {
    groups: Vec<Vec<DialectCompletion>>,
    clip: Option<[f64; 2]>,
    #[serde(default)]
    kl_coefficient: f64,
    max_length: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCompletion {
    reward: Option<f32>,
    advantage: Option<f64>,
    logprobs: Vec<f64>,
    behaviour: Vec<f64>,
    reference: Option<Vec<f64>>,
    mask: Option<Vec<bool>>,
}

impl TryFrom<RawCompletion> for DialectCompletion {
    type Error = String;

    fn try_from(raw: RawCompletion) -> Result<Self, String> {
        let RawCompletion { reward, advantage, logprobs, behaviour, reference, mask } = raw;
        if reward.is_none() && advantage.is_none() {
            return Err("a completion needs a `reward` or an `advantage`".to_owned());
        }
        let count = logprobs.len();
        let lengths = [
            ("behaviour", Some(behaviour.len())),
            ("reference", reference.as_ref().map(Vec::len)),
            ("mask", mask.as_ref().map(Vec::len)),
        ];
        for (name, length) in lengths {
            if let Some(length) = length.filter(|length| *length != count) {
                return Err(format!("`{name}` has {length} entries, but `logprobs` has {count}"));
            }
        }
        let scores = [
            ("logprobs", Some(&logprobs)),
            ("behaviour", Some(&behaviour)),
            ("reference", reference.as_ref()),
        ];
        for (name, values) in scores.into_iter().filter_map(|(n, values)| Some((n, values?))) {
            if let Some(token) = values.iter().position(|value| *value > 0.0) {
                let value = values[token];
                return Err(format!(
                    "`{name}` has {value} at token {token}: a log-probability is at most 0"
                ));
            }
        }
        let reward = reward.unwrap_or(0.0);
        if !reward.is_finite() {
            return Err("`reward` is beyond the numbers of f32".to_owned());
        }
        Ok(Self { reward, advantage, logprobs, behaviour, reference, mask })
    }
}

impl TryFrom<RawBatch> for DialectBatch {
    type Error = String;

    fn try_from(raw: RawBatch) -> Result<Self, String> {
        let RawBatch { groups, clip, kl_coefficient, max_length } = raw;
        let completions = || groups.iter().flatten();
        if completions().next().is_none() {
            return Err("`groups` holds no completion".to_owned());
        }
        let given = completions().filter(|completion| completion.advantage.is_some()).count();
        let count = completions().count();
        if given != 0 && given != count {
            return Err(format!(
                "`advantage` stands at {given} of {count} completions: all or none"
            ));
        }
        let without = completions().any(|completion| completion.reference.is_none());
        if kl_coefficient != 0.0 && without {
            return Err(format!(
                "`kl_coefficient` is {kl_coefficient}, but a completion has no `reference`"
            ));
        }
        if max_length == Some(0) {
            return Err("`max_length` is 0".to_owned());
        }
        if let Some([low, high]) = clip.filter(|[low, high]| !(*low >= 0.0 && *high >= 0.0)) {
            return Err(format!("`clip` is [{low}, {high}]: neither may be negative"));
        }
        Ok(Self { groups, clip, kl_coefficient, max_length })
    }
}

impl DialectCompletion {
    /// Whether a token trains.
    #[must_use]
    pub fn trains(&self, token: usize) -> bool {
        self.mask.as_ref().is_none_or(|mask| mask[token])
    }

    /// How many tokens train.
    #[must_use]
    pub fn tokens(&self) -> usize {
        (0..self.logprobs.len()).filter(|token| self.trains(*token)).count()
    }
}

impl DialectBatch {
    /// All completions, group after group.
    pub fn completions(&self) -> impl Iterator<Item = &DialectCompletion> {
        self.groups.iter().flatten()
    }

    /// [`Self::max_length`], or the longest row; at least 1.
    #[must_use]
    pub fn length(&self) -> usize {
        let longest = self.completions().map(|completion| completion.logprobs.len()).max();
        self.max_length.or(longest).unwrap_or(1).max(1)
    }
}
