//! What a chat template is filled with.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use minijinja::Value;
use minijinja::value::{Serde, ValueKind};
use serde::{Deserialize, Serialize};

use super::ChatError;
use super::functions::strftime_now;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user`, `assistant`, or what else the template knows.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl ChatMessage {
    /// A message of the user.
    #[must_use]
    pub fn user(content: &str) -> Self {
        Self { role: "user".to_owned(), content: content.to_owned() }
    }

    /// A message of the system.
    #[must_use]
    pub fn system(content: &str) -> Self {
        Self { role: "system".to_owned(), content: content.to_owned() }
    }
}

/// A conversation with everything else that a template may look at.
#[derive(Clone, Debug)]
pub struct Conversation {
    messages: Value,
    tools: Value,
    add_generation_prompt: bool,
    now: Option<DateTime>,
    others: BTreeMap<String, Value>,
}

impl Conversation {
    /// A conversation that the model is to continue: `add_generation_prompt` is true.
    #[must_use]
    pub fn new(messages: &[ChatMessage]) -> Self {
        Self::of(Value::from(Serde(messages)))
    }

    /// A conversation from a JSON list of messages of any form that the template understands:
    /// contents in parts, tool calls, reasoning.
    ///
    /// # Errors
    /// [`ChatError::Json`] if it is no list of objects.
    pub fn from_json(messages: &str) -> Result<Self, ChatError> {
        Ok(Self::of(objects("messages", messages)?))
    }

    fn of(messages: Value) -> Self {
        let tools = Value::from(());
        let others = BTreeMap::new();
        Self { messages, tools, add_generation_prompt: true, now: None, others }
    }

    /// With tools, a JSON list of their schemas.
    ///
    /// # Errors
    /// [`ChatError::Json`] if it is no list of objects.
    pub fn with_tools(self, tools: &str) -> Result<Self, ChatError> {
        Ok(Self { tools: objects("tools", tools)?, ..self })
    }

    /// Whether the text ends where the model is to begin its answer.
    #[must_use]
    pub fn with_generation_prompt(self, add: bool) -> Self {
        Self { add_generation_prompt: add, ..self }
    }

    /// The time that `strftime_now` tells. Without one the function does not exist: many templates
    /// then fall back to a fixed date, and nothing here reads a clock.
    #[must_use]
    pub fn at(self, now: DateTime) -> Self {
        Self { now: Some(now), ..self }
    }

    /// With a variable of the template's own, such as `enable_thinking`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &serde_json::Value) -> Self {
        self.others.insert(name.to_owned(), Value::from(Serde(value)));
        self
    }

    pub(super) fn has_tools(&self) -> bool {
        !self.tools.is_none()
    }

    /// Everything by name, as `transformers` passes it.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, Value)> {
        let fixed = [
            ("messages", self.messages.clone()),
            ("tools", self.tools.clone()),
            ("documents", Value::from(())),
            ("add_generation_prompt", Value::from(self.add_generation_prompt)),
        ];
        let now = self.now.map(|now| ("strftime_now", strftime_now(now)));
        let others = self.others.iter().map(|(name, value)| (name.as_str(), value.clone()));
        fixed.into_iter().chain(now).chain(others)
    }
}

/// A JSON list of objects, their fields in the order in which they were written.
fn objects(what: &'static str, text: &str) -> Result<Value, ChatError> {
    let refuse = |reason: String| ChatError::Json { what, reason };
    let items: Vec<Value> = serde_json::from_str(text).map_err(|e| refuse(e.to_string()))?;
    let odd = items.iter().position(|item| item.kind() != ValueKind::Map);
    match odd {
        Some(index) => Err(refuse(format!("item {index} is {}, not an object", items[index]))),
        None => Ok(Value::from(items)),
    }
}
