//! Chat templates: a conversation as the text that a model was tuned on.
//!
//! Templates are the Jinja programs that Hugging Face checkpoints carry, in
//! `tokenizer_config.json` or in `chat_template.jinja`, rendered as `transformers` renders them:
//! trimmed blocks, Python's string methods, `raise_exception`, `strftime_now`, `tojson` in Python's
//! spelling, `break` and `continue`.

mod conversation;
mod functions;
mod source;
mod to_json;

use std::path::Path;

use minijinja::{Environment, Value};

use crate::json_file::FileError;
use crate::tokenizer::{SpecialTokens, special_tokens};

pub use conversation::ChatMessage;
pub use conversation::Conversation;

/// The name of a template that stands alone.
const DEFAULT: &str = "default";
/// The name of the template that `transformers` prefers if tools are given.
const TOOL_USE: &str = "tool_use";

/// Turns conversations into text.
///
/// ```
/// use fireproof_model::{ChatMessage, ChatTemplate, Conversation};
/// let template = ChatTemplate::new(
///     "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}\
///      {% if add_generation_prompt %}<assistant>{% endif %}",
/// )
/// .unwrap();
/// let conversation = Conversation::new(&[ChatMessage::user("2+2?")]);
/// assert_eq!(template.render(&conversation).unwrap(), "<user>2+2?</user><assistant>");
/// ```
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    special: SpecialTokens,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// A file of the checkpoint is wrong.
    #[error(transparent)]
    Files(#[from] FileError),
    /// The checkpoint has no template.
    #[error(
        "{folder} has no chat template, neither chat_template.jinja nor `chat_template` in \
         tokenizer_config.json: it is a base model"
    )]
    Missing {
        /// The folder.
        folder: String,
    },
    /// There are several templates and none is called `default`.
    #[error("there is no chat template `default` among {names}")]
    NoDefault {
        /// Those there are.
        names: String,
    },
    /// The template is no Jinja, or fails on this conversation.
    #[error("chat template: {0}")]
    Template(String),
    /// The template itself refuses the conversation (`raise_exception`).
    #[error("the chat template refuses this conversation: {0}")]
    Refused(String),
    /// Messages or tools are no JSON list.
    #[error("{what}: {reason}")]
    Json {
        /// `messages` or `tools`.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl ChatTemplate {
    /// A template without special tokens.
    ///
    /// # Errors
    /// [`ChatError::Template`] if it is not Jinja.
    pub fn new(source: &str) -> Result<Self, ChatError> {
        Self::named([(DEFAULT.to_owned(), source.to_owned())], SpecialTokens::new())
    }

    /// The template in the folder of a Hugging Face checkpoint, with its special tokens.
    ///
    /// `chat_template.jinja` (and `additional_chat_templates/NAME.jinja`) goes before
    /// `chat_template` in `tokenizer_config.json`, which is one template or a list of named ones.
    ///
    /// # Errors
    /// [`ChatError`] names the file, or says that there is none.
    pub fn from_folder(folder: &Path) -> Result<Self, ChatError> {
        let templates = source::templates(folder)?;
        if templates.is_empty() {
            return Err(ChatError::Missing { folder: folder.display().to_string() });
        }
        Self::named(templates, special_tokens(folder)?)
    }

    /// A template of one's own with the special tokens of a checkpoint's folder.
    ///
    /// # Errors
    /// [`ChatError`] names the file, or says what is wrong with the template.
    pub fn with_tokens_of(folder: &Path, source: &str) -> Result<Self, ChatError> {
        Self::named([(DEFAULT.to_owned(), source.to_owned())], special_tokens(folder)?)
    }

    fn named(
        templates: impl IntoIterator<Item = (String, String)>,
        special: SpecialTokens,
    ) -> Result<Self, ChatError> {
        let mut environment = functions::environment();
        for (name, text) in templates {
            let text = source::without_generation_tags(&text);
            environment.add_template_owned(name, text).map_err(failure)?;
        }
        Ok(Self { environment, special })
    }

    /// The text of a conversation.
    ///
    /// With several templates it is `tool_use` if there are tools, else `default`.
    ///
    /// # Errors
    /// [`ChatError::Refused`] if the template refuses the conversation, [`ChatError::Template`] if
    /// it fails.
    pub fn render(&self, conversation: &Conversation) -> Result<String, ChatError> {
        let names: Vec<&str> = self.environment.templates().map(|(name, _)| name).collect();
        let tools = conversation.has_tools() && names.contains(&TOOL_USE);
        let name = if tools { TOOL_USE } else { DEFAULT };
        let Ok(template) = self.environment.get_template(name) else {
            return Err(ChatError::NoDefault { names: names.join(", ") });
        };
        let special = self.special.iter().map(|(name, text)| (name.as_str(), Value::from(text)));
        let variables = special.chain(conversation.variables());
        template.render(Value::from_pairs(variables)).map_err(failure)
    }
}

/// Tells a refusal of the template's own from a failure.
fn failure(error: minijinja::Error) -> ChatError {
    match functions::refusal(&error) {
        Some(reason) => ChatError::Refused(reason.to_owned()),
        None => ChatError::Template(error.to_string()),
    }
}
