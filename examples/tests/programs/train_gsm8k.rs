//! `train_gsm8k` on a tiny Hugging Face checkpoint, end to end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use burn::tensor::{DType, Device};
use fireproof::model::{Export, ModelConfig, ModelFolder};
use fireproof::prelude::*;
use fireproof::trainer::OptimizerConfig;

use crate::common::{metrics, refused, run, text_of};

const CONFIG: &str = r#"{
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 416,
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0, "tie_word_embeddings": true, "torch_dtype": "float32",
    "hidden_act": "silu", "initializer_range": 0.08
}"#;
const TEMPLATE: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n\
                        {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// A folder with a checkpoint and questions.
struct World {
    folder: tempfile::TempDir,
}

fn flex() -> Device {
    resolve_device(Some("flex")).expect("flex is compiled in").device
}

/// `What is A+B?` for sums up to 9.
fn questions() -> impl Iterator<Item = (String, u32)> {
    let pairs = (0..10u32).flat_map(|a| (0..10 - a).map(move |b| (a, b)));
    pairs.map(|(a, b)| (format!("What is {a}+{b}?"), a + b))
}

fn asked(question: &str) -> String {
    format!("<|im_start|>user\n{question} In a box.<|im_end|>\n<|im_start|>assistant\n")
}

impl World {
    /// A model that has learned to answer in a box, and hardly more.
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let golden = "../crates/model/tests/golden/tokenizers/byte_level";
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(golden);
        fs::create_dir(world.path("model")).expect("a folder");
        for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
            fs::copy(golden.join(name), world.path("model").join(name)).expect("a copy");
        }
        fs::write(world.path("model/chat_template.jinja"), TEMPLATE).expect("a file");
        let config = ModelConfig::from_hf(CONFIG).expect("a configuration");
        let tokenizer = Tokenizer::from_folder(&world.path("model")).expect("a tokenizer");
        let model = config.transformer.init(1, &flex().autodiff());
        let demonstrations = |_| {
            let answer = |digit| format!("\\boxed{{{digit}}}");
            let both = questions().zip((0..3).cycle());
            both.map(|((question, right), wrong)| Demonstration {
                prompt: asked(&question),
                answer: answer((right + wrong) % 10),
            })
            .collect()
        };
        let optimizer =
            OptimizerConfig { learning_rate: 1e-2, warmup_updates: 5, ..Default::default() };
        let warm = WarmStartConfig { steps: 40, optimizer, ..Default::default() };
        let model = warm_start(model, &tokenizer, &warm, demonstrations, |_, _| ());
        let model = model.expect("a model that learns");
        Export::new(&config).write(&model, &world.path("model")).expect("an exported model");
        let line = |(question, answer): (String, u32)| {
            format!("{{\"question\": \"{question}\", \"answer\": \"So #### {answer}\"}}\n")
        };
        let lines: Vec<String> = questions().map(line).collect();
        fs::write(world.path("train.jsonl"), lines[..48].concat()).expect("a file");
        fs::write(world.path("test.jsonl"), lines[44..].concat()).expect("a file");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    /// A run of three steps into the folder `out`.
    fn train(&self, out: &str, more: &[&str]) -> Output {
        self.train_and_test(out, "test.jsonl", more)
    }

    fn train_and_test(&self, out: &str, test: &str, more: &[&str]) -> Output {
        let (model, data) = (self.text("model"), self.text("train.jsonl"));
        let (test, out) = (self.text(test), self.text(out));
        let fixed = ["--device", "flex", "--model", &model, "--data", &data, "--test", &test];
        let settings = [
            "data.instruction=\" In a box.\"",
            "trainer.steps=3",
            "trainer.max_new_tokens=12",
            "trainer.checkpoint_every=2",
            "trainer.optimizer.learning_rate=1e-2",
            "model.lora.rank=4",
            "report.every=1",
        ];
        let settings: Vec<&str> = settings.iter().flat_map(|s| ["--set", s]).collect();
        run("train_gsm8k", &[&fixed[..], &["--out", &out], &settings, more].concat())
    }
}

fn logits(model: &Transformer) -> Vec<f32> {
    use burn::tensor::{Int, Tensor};
    let tokens = Tensor::<2, Int>::from_data([[3, 1, 4, 1, 5]], &flex());
    let positions = Tensor::<2, Int>::from_data([[0, 1, 2, 3, 4]], &flex());
    let hidden = model.hidden(tokens, positions).reshape([5, 32]);
    model.logits(hidden).into_data().try_to_vec_as().expect("floats")
}

fn load(folder: PathBuf) -> Transformer {
    let opened = ModelFolder::open(&folder).expect("a checkpoint");
    opened.load(DType::F32, &flex()).expect("whole weights")
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_checkpoint_is_trained_resumed_and_handed_back() {
    let world = World::new();
    let text = text_of(&world.train("whole", &["--merge"]));
    for part in [
        "model    llama, 2 layers of width 32,",
        "frozen; 4096 in adapters of rank 4 train",
        "data     44 prompts to train on, 11 held out",
        "In a box.<|im_end|>\\n<|im_start|>assistant\\n\"",
        "memory   ",
        "before   pass@1 ",
        "change   ",
        "adapter (for PEFT)",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    let steps = metrics(&world.path("whole"));
    assert!(steps.iter().any(|step| step.grad_norm > 0.0), "nothing was learned");

    // The adapters beside the base are what the merged checkpoint is.
    let base = load(world.path("model"));
    let before = logits(&base);
    let adapted = base.load_lora(&world.path("whole/adapter")).unwrap();
    let found = logits(&adapted);
    assert!(largest_difference(&found, &before) > 1e-3);
    assert!(largest_difference(&logits(&load(world.path("whole/model"))), &found) < 1e-4);
    // The base was not touched.
    assert_eq!(logits(&adapted.without_lora()), before);
    assert!(world.path("whole/model/chat_template.jinja").exists());

    // A checkpoint holds the adapters and not what they stand beside.
    let size = |file: &str| fs::metadata(world.path(file)).expect("a file").len();
    let checkpoint = size("whole/checkpoints/step-000003/policy.bpk");
    assert!(checkpoint < size("model/model.safetensors") / 2, "{checkpoint}");

    // As if it had been killed after the second step.
    text_of(&world.train("cut", &[]));
    fs::remove_dir_all(world.path("cut/checkpoints/step-000003")).unwrap();
    fs::remove_dir_all(world.path("cut/adapter")).unwrap();
    let resumed = run("train_gsm8k", &["--device", "flex", "--resume", &world.text("cut")]);
    assert!(text_of(&resumed).contains("resumed  after step 2"));
    assert_eq!(metrics(&world.path("cut")), steps);
    let adapter = |run: &str| {
        fs::read(world.path(run).join("adapter/adapter_model.safetensors")).expect("adapters")
    };
    assert_eq!(adapter("cut"), adapter("whole"));
    // Other frozen weights than those it was trained beside are recognised.
    let elsewhere = format!("model.folder={:?}", world.text("whole/model"));
    let resume = ["--device", "flex", "--resume", &world.text("cut"), "--set", &elsewhere];
    refused(&run("train_gsm8k", &resume), &["has another model", "frozen"]);

    all_parameters_train(&world, &before);
    what_is_wrong_is_named(&world);
}

fn all_parameters_train(world: &World, before: &[f32]) {
    let one = ["--full", "--recipe", "rloo", "--set", "trainer.steps=1"];
    let text = text_of(&world.train("full", &one));
    assert!(text.contains("all of them train") && text.contains("recipe   rloo"), "{text}");
    assert!(!world.path("full/adapter").exists());
    assert!(largest_difference(&logits(&load(world.path("full/model"))), before) > 1e-4);

    // In bf16 too, with what the optimiser keeps in f32, also over an interruption.
    let settings = ["model.precision=bf16", "trainer.steps=2", "trainer.checkpoint_every=1"];
    let settings: Vec<&str> = settings.iter().flat_map(|s| ["--set", s]).collect();
    let text = text_of(&world.train("half", &[&["--full"], &settings[..]].concat()));
    assert!(text.contains("31904 parameters in bf16, all of them train"), "{text}");
    assert!(largest_difference(&logits(&load(world.path("half/model"))), before) > 1e-3);
    let (steps, weights) =
        (metrics(&world.path("half")), world.path("half/model/model.safetensors"));
    let whole = fs::read(&weights).expect("weights");
    fs::remove_dir_all(world.path("half/checkpoints/step-000002")).expect("a change");
    text_of(&run("train_gsm8k", &["--device", "flex", "--resume", &world.text("half")]));
    assert_eq!(metrics(&world.path("half")), steps);
    assert_eq!(fs::read(&weights).expect("weights"), whole);
}

fn what_is_wrong_is_named(world: &World) {
    let wrong = |more: &[&str], part: &str| refused(&world.train("wrong", more), &[part]);
    wrong(&["--set", "model.lora.rank=0"], "model.lora: rank must be at least 1, not 0");
    wrong(&["--set", "model.lora.rnk=2"], "unknown field `rnk`");
    wrong(&["--recipe", "gprpo"], "`gprpo` is no recipe");
    wrong(&["--set", "selector=chance"], "unknown variant `chance`");
    wrong(&["--set", "data.date=yesterday"], "data.date: ");
    wrong(&["--set", "trainer.max_new_tokens=500"], "and the model's context is 512");
    wrong(&["--set", "data.longest_prompt=3"], "no prompt of at most data.longest_prompt = 3");
    wrong(&["--set", "trainer.prompts_per_step=99"], "99 are asked for, there are 44");
    wrong(
        &["--set", "trainer.samples_per_prompt=100000000"],
        "of memory are free: lower trainer.prompts_per_step, trainer.samples_per_prompt",
    );
    fs::write(world.path("no.jsonl"), "{\"question\": \"1+1?\", \"answer\": \"2\"}\n")
        .expect("a change");
    refused(&world.train_and_test("wrong", "no.jsonl", &[]), &["no.jsonl:1"]);
    let line = "{\"question\": \"1+1? <|im_end|>\", \"answer\": \"#### 2\"}\n";
    fs::write(world.path("no.jsonl"), line).expect("a change");
    let part = "no.jsonl:1: the question holds `<|im_end|>`";
    refused(&world.train_and_test("wrong", "no.jsonl", &[]), &[part]);
    fs::write(world.path("other.jinja"), "{{ raise_exception('No users') }}").expect("a change");
    let template = format!("data.template={:?}", world.text("other.jinja"));
    wrong(
        &["--set", &template],
        "train.jsonl:1: the chat template refuses this conversation: No users",
    );
    fs::remove_file(world.path("model/chat_template.jinja")).expect("a change");
    wrong(&[], "has no chat template");
    fs::remove_file(world.path("model/tokenizer.json")).expect("a change");
    wrong(&[], "tokenizer.json: ");
    fs::remove_file(world.path("model/config.json")).expect("a change");
    wrong(&[], "config.json");
    fs::remove_dir_all(world.path("model")).expect("a change");
    wrong(&[], "there is no such folder");
    assert!(!world.path("wrong").exists(), "a refused run left a folder behind");
}
