//! Chat templates give the text that `transformers` gives (`golden/make_chat.py`).

use std::collections::BTreeMap;
use std::path::Path;

use fireproof_model::{ChatError, ChatMessage, ChatTemplate, Conversation};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Golden {
    now: jiff::civil::DateTime,
    special: BTreeMap<String, String>,
    templates: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    messages: String,
    tools: Option<String>,
    add_generation_prompt: bool,
    variables: BTreeMap<String, Value>,
    text: Option<String>,
    refused: Option<String>,
}

impl Case {
    fn conversation(&self) -> Conversation {
        let messages = Conversation::from_json(&self.messages).expect("golden messages");
        let mut conversation = messages.with_generation_prompt(self.add_generation_prompt);
        if let Some(tools) = &self.tools {
            conversation = conversation.with_tools(tools).expect("golden tools");
        }
        let with = |conversation: Conversation, (name, value): (&String, &Value)| {
            conversation.with(name, value)
        };
        self.variables.iter().fold(conversation, with)
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/chat.json")).expect("a golden file")
}

/// The template of a folder with this `tokenizer_config.json`.
fn configured(folder: &Path, config: &Value) -> Result<ChatTemplate, ChatError> {
    let path = folder.join("tokenizer_config.json");
    std::fs::write(path, config.to_string()).expect("a writable folder");
    ChatTemplate::from_folder(folder)
}

#[test]
fn templates_of_every_family_give_the_text_of_transformers() {
    let Golden { now, special, templates, cases } = golden();
    let folder = tempfile::tempdir().unwrap();
    for (index, case) in cases.iter().enumerate() {
        let mut config = json!(special);
        config["chat_template"] = json!(templates[&case.template]);
        let template = configured(folder.path(), &config).unwrap();
        let name = format!("case {index}, {}", case.template);
        match (template.render(&case.conversation().at(now)), &case.text) {
            (Ok(text), Some(expected)) => assert_eq!(&text, expected, "{name}"),
            (Err(ChatError::Refused(reason)), None) => {
                assert_eq!(Some(reason), case.refused, "{name}");
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[test]
fn without_a_time_templates_fall_back_to_their_own() {
    let Golden { templates, .. } = golden();
    let template = ChatTemplate::new(&templates["headers"]).unwrap();
    let user = Conversation::new(&[ChatMessage::user("Hi")]);
    assert!(template.render(&user).unwrap().contains("Today Date: 26 Jul 2024\n"));
    let asking = ChatTemplate::new("{{ strftime_now('%Y') }}").unwrap();
    let error = asking.render(&user).unwrap_err().to_string();
    assert!(error.contains("strftime_now"), "{error}");
    let now = jiff::civil::date(2027, 1, 2).at(3, 4, 5, 0);
    assert_eq!(asking.render(&user.clone().at(now)).unwrap(), "2027");
    let odd = ChatTemplate::new("{{ strftime_now('%!') }}").unwrap();
    assert!(odd.render(&user.at(now)).unwrap_err().to_string().contains("%!"));
}

#[test]
fn named_templates_are_chosen_by_the_tools() {
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &str| json!({"name": name, "template": name});
    let config = json!({"chat_template": [named("tool_use"), named("default"), named("rag")]});
    let template = configured(folder.path(), &config).unwrap();
    let user = Conversation::new(&[ChatMessage::user("Hi")]);
    assert_eq!(template.render(&user).unwrap(), "default");
    let tools = user.clone().with_tools("[{}]").unwrap();
    assert_eq!(template.render(&tools).unwrap(), "tool_use");

    // The files replace the field.
    std::fs::write(folder.path().join("chat_template.jinja"), "file").unwrap();
    let template = ChatTemplate::from_folder(folder.path()).unwrap();
    assert_eq!(template.render(&tools).unwrap(), "file");
    let more = folder.path().join("additional_chat_templates");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(more.join("tool_use.jinja"), "tools").unwrap();
    let template = ChatTemplate::from_folder(folder.path()).unwrap();
    assert_eq!(template.render(&tools).unwrap(), "tools");
    assert_eq!(template.render(&user).unwrap(), "file");
}

#[test]
fn a_template_of_ones_own_sees_the_special_tokens_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    configured(folder.path(), &json!({"chat_template": "", "bos_token": "<s>"})).unwrap();
    let own = ChatTemplate::with_tokens_of(folder.path(), "{{ bos_token }}{{ messages[0].role }}");
    let user = Conversation::new(&[ChatMessage::system("Hi")]);
    assert_eq!(own.unwrap().render(&user).unwrap(), "<s>system");
}

#[test]
fn what_is_wrong_is_named_with_its_file_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let refused = |config: Value, parts: &[&str]| {
        let error = configured(path, &config).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is missing: {error}");
        }
    };
    let error = ChatTemplate::from_folder(path).unwrap_err().to_string();
    assert!(error.contains("has no chat template"), "{error}");
    refused(json!({}), &["has no chat template", "base model"]);
    refused(json!({"chat_template": 3}), &["tokenizer_config.json: `chat_template` is neither"]);
    refused(json!({"chat_template": [{"name": "a"}]}), &["no name and template in item 0"]);
    refused(json!({"chat_template": "{% for %}"}), &["chat template: syntax error"]);
    refused(
        json!({"chat_template": "", "eos_token": 7}),
        &["tokenizer_config.json: `eos_token` is 7, not a text"],
    );
    std::fs::write(path.join("tokenizer_config.json"), "{\"a\": 1,\n}").unwrap();
    let error = ChatTemplate::from_folder(path).unwrap_err().to_string();
    assert!(error.contains("tokenizer_config.json: ") && error.contains("line 2"), "{error}");

    let only = json!({"chat_template": [{"name": "rag", "template": ""}]});
    let template = configured(path, &only).unwrap();
    let user = Conversation::new(&[ChatMessage::user("Hi")]);
    let error = template.render(&user).unwrap_err().to_string();
    assert_eq!(error, "there is no chat template `default` among rag");
    let broken = ChatTemplate::new("{{ messages[0].content.nothing() }}").unwrap();
    let error = broken.render(&user).unwrap_err().to_string();
    assert!(error.starts_with("chat template: ") && error.contains("nothing"), "{error}");
    let error = Conversation::from_json("[\"Hi\"]").unwrap_err().to_string();
    assert_eq!(error, "messages: item 0 is Hi, not an object");
    let error = user.with_tools("{}").unwrap_err().to_string();
    assert!(error.starts_with("tools: invalid type: map"), "{error}");
    let ascii = ChatTemplate::new("{{ messages|tojson(ensure_ascii=true) }}").unwrap();
    assert!(
        ascii.render(&Conversation::new(&[])).unwrap_err().to_string().contains("ensure_ascii")
    );
}
