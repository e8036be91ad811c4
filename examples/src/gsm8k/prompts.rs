//! Questions as a chat model is asked them.

use std::collections::HashSet;
use std::error::Error;
use std::path::Path;

use fireproof::model::{ChatMessage, ChatTemplate, Conversation};
use fireproof::prelude::*;
use fireproof::tasks::{Layout, TaskReader};

use super::settings::DataConfig;

/// Reads the prompts of a run.
#[derive(Debug)]
pub struct PromptReader<'a> {
    data: &'a DataConfig,
    tokenizer: &'a Tokenizer,
    template: ChatTemplate,
    now: Option<jiff::civil::DateTime>,
}

/// The prompts of a file.
#[derive(Clone, Debug, Default)]
pub struct PromptSet {
    /// Tasks whose prompts are whole conversations up to the answer.
    pub tasks: Vec<Task>,
    /// Tokens of the longest prompt.
    pub longest: usize,
    /// Prompts left out because they are longer than the limit.
    pub too_long: usize,
}

impl<'a> PromptReader<'a> {
    /// With the template of a checkpoint's folder, or the one that the settings name.
    ///
    /// # Errors
    /// If there is no template, or the day is none.
    pub fn new(
        folder: &Path,
        data: &'a DataConfig,
        tokenizer: &'a Tokenizer,
    ) -> Result<Self, Box<dyn Error>> {
        let template = match &data.template {
            None => ChatTemplate::from_folder(folder).map_err(|error| match error {
                fireproof::model::ChatError::Missing { .. } => {
                    format!("{error}; give it one with `--set data.template=FILE.jinja`")
                }
                other => other.to_string(),
            })?,
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|e| format!("data.template: {}: {e}", path.display()))?;
                ChatTemplate::with_tokens_of(folder, &text)?
            }
        };
        let day = data.date.as_deref().map(str::parse::<jiff::civil::Date>).transpose();
        let now = day.map_err(|error| format!("data.date: {error}"))?.map(|day| day.at(0, 0, 0, 0));
        Ok(Self { data, tokenizer, template, now })
    }

    /// The prompts of a file, each question put into the template.
    ///
    /// # Errors
    /// Names the file and line of a row that is no GSM8K, that the template refuses or that holds a
    /// special token.
    pub fn read(&self, path: &Path) -> Result<PromptSet, Box<dyn Error>> {
        let mut set = PromptSet::default();
        for record in TaskReader::open(path, Layout::gsm8k())? {
            let record = record?;
            let place = format!("{}:{}", path.display(), record.line);
            if let Some(token) = self.tokenizer.special_token_in(&record.task.prompt) {
                let text = "which would speak for the template";
                return Err(format!("{place}: the question holds `{token}`, {text}").into());
            }
            let prompt = self.text(&record.task.prompt).map_err(|e| format!("{place}: {e}"))?;
            let length = self.tokenizer.encode(&prompt)?.len();
            if length > self.data.longest_prompt {
                set.too_long += 1;
                continue;
            }
            set.longest = set.longest.max(length);
            set.tasks.push(Task { prompt, ..record.task });
        }
        if set.tasks.is_empty() {
            let limit = self.data.longest_prompt;
            let text = format!("no prompt of at most data.longest_prompt = {limit} tokens");
            return Err(format!("{}: {text}", path.display()).into());
        }
        Ok(set)
    }

    fn text(&self, question: &str) -> Result<String, fireproof::model::ChatError> {
        let user = ChatMessage::user(&format!("{question}{}", self.data.instruction));
        let system = Some(&self.data.system).filter(|text| !text.is_empty());
        let messages: Vec<ChatMessage> =
            system.map(|text| ChatMessage::system(text)).into_iter().chain([user]).collect();
        let conversation = Conversation::new(&messages);
        self.template.render(&match self.now {
            Some(now) => conversation.at(now),
            None => conversation,
        })
    }
}

impl PromptSet {
    /// Takes out the tasks that another set has too, and says how many those were.
    pub fn leave_out(&mut self, other: &Self) -> usize {
        let ids: HashSet<PromptId> = other.tasks.iter().map(|task| task.id).collect();
        let before = self.tasks.len();
        self.tasks.retain(|task| !ids.contains(&task.id));
        before - self.tasks.len()
    }
}
