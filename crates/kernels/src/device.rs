//! Choosing the device that a program runs on.
//!
//! burn's own `Device::default()` prefers flex to ndarray whatever one asks for by feature, so the
//! choice is made here, by a rule that can be read and tested: an explicit `--device` wins, then
//! the variable `BURN_DEVICE`, then the backend that was added by feature, then flex.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::panic::catch_panic;

/// A backend that can be compiled in, most preferred first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendName {
    /// NVIDIA GPUs.
    Cuda,
    /// AMD GPUs.
    Rocm,
    /// Apple GPUs.
    Metal,
    /// Any GPU with Vulkan, through SPIR-V.
    Vulkan,
    /// Any GPU that wgpu finds, through WGSL.
    Wgpu,
    /// Plain Rust on the CPU; deprecated by burn, kept as a second oracle.
    NdArray,
    /// Vectorised Rust on the CPU: the default.
    Flex,
}

impl BackendName {
    const ALL: [Self; 7] =
        [Self::Cuda, Self::Rocm, Self::Metal, Self::Vulkan, Self::Wgpu, Self::NdArray, Self::Flex];

    /// The name as in `--device`, `BURN_DEVICE` and Cargo features.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Wgpu => "wgpu",
            Self::NdArray => "ndarray",
            Self::Flex => "flex",
        }
    }

    fn is_compiled(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            // `vulkan` and `metal` build on wgpu; asking for them does not ask for WGSL.
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::NdArray => cfg!(feature = "ndarray"),
            Self::Flex => cfg!(feature = "flex"),
        }
    }

    /// True for the backends that run on the CPU and always have a device.
    #[must_use]
    pub fn is_cpu(self) -> bool {
        matches!(self, Self::NdArray | Self::Flex)
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The backends compiled into this program, most preferred first.
#[must_use]
pub fn compiled_backends() -> Vec<BackendName> {
    BackendName::ALL.into_iter().filter(|backend| backend.is_compiled()).collect()
}

/// Which of several devices of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selector {
    Default,
    Index(usize),
    Discrete(usize),
    Integrated(usize),
    Virtual(usize),
    Cpu,
}

/// A backend with one of its devices, as written `backend[:device]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceChoice {
    /// The backend.
    pub backend: BackendName,
    selector: Selector,
}

impl DeviceChoice {
    fn default_of(backend: BackendName) -> Self {
        Self { backend, selector: Selector::Default }
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
        let known = BackendName::ALL.into_iter().find(|backend| backend.name() == name);
        let backend = known.ok_or_else(|| DeviceError::unknown(text))?;
        let Some(rest) = rest else { return Ok(Self::default_of(backend)) };
        let (kind, index) = rest.split_once(':').unwrap_or((rest, "0"));
        let index: Option<usize> = index.parse().ok();
        let numbered = matches!(backend, BackendName::Cuda | BackendName::Rocm);
        let selector = match (kind, index) {
            (kind, Some(0)) if numbered => kind.parse().ok().map(Selector::Index),
            _ if numbered || backend.is_cpu() => None,
            ("cpu", Some(0)) => Some(Selector::Cpu),
            ("discrete", Some(index)) => Some(Selector::Discrete(index)),
            ("integrated", Some(index)) => Some(Selector::Integrated(index)),
            ("virtual", Some(index)) => Some(Selector::Virtual(index)),
            _ => None,
        };
        let selector = selector.ok_or_else(|| DeviceError::unknown(text))?;
        Ok(Self { backend, selector })
    }
}

/// Why there is no such device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The text names no device.
    #[error(
        "`{text}` names no device: write {names}, or with a device as in `cuda:1`, \
         `wgpu:discrete:0`, `wgpu:integrated`, `wgpu:cpu`"
    )]
    Unknown {
        /// What was asked for.
        text: String,
        /// All names there are.
        names: String,
    },
    /// The backend is not in this program.
    #[error(
        "this program was built without `{backend}` (it has: {compiled}); build it with \
         `--features {backend}`"
    )]
    NotCompiled {
        /// What was asked for.
        backend: BackendName,
        /// What there is.
        compiled: String,
    },
    /// No backend at all was compiled in.
    #[error("this program was built without any backend; build it with `--features flex`")]
    NoBackend,
    /// The backend finds no such device on this machine.
    #[error(
        "`{backend}` found no device on this machine ({reason}); compiled in: {compiled}. \
         Choose another with `--device`, for example `--device flex`"
    )]
    Missing {
        /// What was asked for.
        backend: BackendName,
        /// What the backend said.
        reason: String,
        /// What there is.
        compiled: String,
    },
}

impl DeviceError {
    fn unknown(text: &str) -> Self {
        let names: Vec<String> =
            BackendName::ALL.iter().map(|backend| format!("`{backend}`")).collect();
        Self::Unknown { text: text.to_owned(), names: names.join(", ") }
    }
}

fn list(backends: &[BackendName]) -> String {
    let names: Vec<&str> = backends.iter().map(|backend| backend.name()).collect();
    names.join(", ")
}

/// The rule: the flag, else the variable, else the most preferred backend that is not flex, else
/// flex. Empty texts count as absent.
///
/// # Errors
/// If the text names no device, or one whose backend is not among `compiled`.
pub fn choose_device(
    flag: Option<&str>,
    variable: Option<&str>,
    compiled: &[BackendName],
) -> Result<DeviceChoice, DeviceError> {
    let asked = [flag, variable].into_iter().flatten().find(|text| !text.is_empty());
    let Some(asked) = asked else {
        let preferred = compiled.iter().min().ok_or(DeviceError::NoBackend)?;
        return Ok(DeviceChoice::default_of(*preferred));
    };
    let choice: DeviceChoice = asked.parse()?;
    if !compiled.contains(&choice.backend) {
        let (backend, compiled) = (choice.backend, list(compiled));
        return Err(DeviceError::NotCompiled { backend, compiled });
    }
    Ok(choice)
}

/// A device with what a person wants to know about it.
#[derive(Clone, Debug)]
pub struct ResolvedDevice {
    /// The device itself, without autodiff.
    pub device: Device,
    /// Its backend.
    pub backend: BackendName,
    /// The hardware, as it names itself.
    pub adapter: String,
}

impl fmt::Display for ResolvedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dtype = burn::tensor::DType::from(self.device.settings().float_dtype);
        write!(f, "{} ({}), {dtype:?}", self.backend, self.adapter)
    }
}

/// Chooses and opens the device: `--device` (the `flag`), else `BURN_DEVICE`, else the backend that
/// was added by feature, else flex.
///
/// # Errors
/// [`DeviceError`] says what is compiled in and what to do.
pub fn resolve_device(flag: Option<&str>) -> Result<ResolvedDevice, DeviceError> {
    let compiled = compiled_backends();
    let variable = std::env::var("BURN_DEVICE").ok();
    open(choose_device(flag, variable.as_deref(), &compiled)?)
}

/// The devices to run tests on: the one that `BURN_DEVICE` names, else the default device of every
/// backend compiled in.
///
/// # Panics
/// If a device is missing: a test suite that skipped it would look as if it had passed.
#[must_use]
pub fn test_devices() -> Vec<ResolvedDevice> {
    let compiled = compiled_backends();
    let choices = match std::env::var("BURN_DEVICE") {
        Ok(asked) => vec![choose_device(Some(&asked), None, &compiled)],
        // `vulkan` and `metal` are wgpu with another compiler: one of them stands for all.
        Err(_) => compiled.iter().map(|b| Ok(DeviceChoice::default_of(*b))).collect(),
    };
    let opened = choices.into_iter().map(|choice| choice.and_then(open));
    opened.map(|device| device.unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// Opens a device, with a typed error where burn panics.
fn open(choice: DeviceChoice) -> Result<ResolvedDevice, DeviceError> {
    let backend = choice.backend;
    if backend.is_cpu() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let adapter = format!("CPU, {cores} cores");
        return Ok(ResolvedDevice { device: handle(choice), backend, adapter });
    }
    // A missing adapter panics inside the driver's threads.
    let opened = catch_panic(|| {
        let device = handle(choice);
        let name = adapter_name(&device);
        (device, name)
    });
    match opened {
        Ok((device, adapter)) => Ok(ResolvedDevice { device, backend, adapter }),
        Err(reason) => {
            Err(DeviceError::Missing { backend, reason, compiled: list(&compiled_backends()) })
        }
    }
}

/// The burn device of a choice whose backend is compiled in.
fn handle(choice: DeviceChoice) -> Device {
    match choice.backend {
        #[cfg(feature = "flex")]
        BackendName::Flex => Device::flex(),
        #[cfg(feature = "ndarray")]
        #[allow(
            deprecated,
            reason = "burn removes ndarray in 0.23; a second CPU oracle until then"
        )]
        BackendName::NdArray => Device::ndarray(),
        #[cfg(feature = "cuda")]
        BackendName::Cuda => Device::cuda(index(choice.selector)),
        #[cfg(feature = "rocm")]
        BackendName::Rocm => Device::rocm(index(choice.selector)),
        #[cfg(feature = "metal")]
        BackendName::Metal => Device::metal(kind(choice.selector)),
        #[cfg(feature = "vulkan")]
        BackendName::Vulkan => Device::vulkan(kind(choice.selector)),
        #[cfg(feature = "wgpu")]
        BackendName::Wgpu => Device::wgpu(kind(choice.selector)),
        #[allow(unreachable_patterns, reason = "depends on the features")]
        backend => unreachable!("`choose_device` only returns compiled backends, not {backend}"),
    }
}

#[cfg(any(feature = "cuda", feature = "rocm"))]
fn index(selector: Selector) -> burn::tensor::DeviceIndex {
    match selector {
        Selector::Index(index) => burn::tensor::DeviceIndex::Specified(index),
        _ => burn::tensor::DeviceIndex::Default,
    }
}

#[cfg(feature = "wgpu")]
fn kind(selector: Selector) -> burn::tensor::DeviceKind {
    use burn::tensor::DeviceKind;
    match selector {
        Selector::Discrete(index) => DeviceKind::DiscreteGpu(index),
        Selector::Integrated(index) => DeviceKind::IntegratedGpu(index),
        Selector::Virtual(index) => DeviceKind::VirtualGpu(index),
        Selector::Cpu => DeviceKind::Cpu,
        Selector::Default | Selector::Index(_) => DeviceKind::DefaultDevice,
    }
}

/// The adapter's own name. Opens the device.
#[cfg(feature = "cube")]
fn adapter_name(device: &Device) -> String {
    device.identity().map_or_else(|| "unnamed adapter".to_owned(), |identity| identity.name)
}

#[cfg(not(feature = "cube"))]
fn adapter_name(_device: &Device) -> String {
    unreachable!("only CubeCL backends have adapters")
}

/// True if the device computes behind a queue, so that reading a tensor back waits for all work
/// before it.
#[cfg(feature = "cube")]
#[must_use]
pub fn is_queued(device: &Device) -> bool {
    device.identity().is_some()
}

/// True if the device computes behind a queue: none of the backends compiled in does.
#[cfg(not(feature = "cube"))]
#[must_use]
pub fn is_queued(_device: &Device) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use BackendName::{Cuda, Flex, NdArray, Wgpu};

    use super::*;

    fn chosen(flag: Option<&str>, variable: Option<&str>, compiled: &[BackendName]) -> BackendName {
        choose_device(flag, variable, compiled).unwrap().backend
    }

    #[test]
    fn the_flag_beats_the_variable_and_the_variable_the_features() {
        let compiled = [Wgpu, NdArray, Flex];
        assert_eq!(chosen(Some("flex"), Some("ndarray"), &compiled), Flex);
        assert_eq!(chosen(None, Some("ndarray"), &compiled), NdArray);
        assert_eq!(chosen(None, None, &compiled), Wgpu);
        assert_eq!(chosen(Some(""), Some(""), &compiled), Wgpu);
    }

    #[test]
    fn a_backend_added_by_feature_beats_flex() {
        assert_eq!(chosen(None, None, &[Flex]), Flex);
        assert_eq!(chosen(None, None, &[Flex, NdArray]), NdArray);
        assert_eq!(chosen(None, None, &[Flex, Wgpu, Cuda]), Cuda);
    }

    #[test]
    fn devices_of_a_backend_are_written_after_a_colon() {
        let compiled = BackendName::ALL;
        let selector = |text| choose_device(Some(text), None, &compiled).unwrap().selector;
        assert_eq!(selector("cuda:1"), Selector::Index(1));
        assert_eq!(selector("wgpu:discrete:2"), Selector::Discrete(2));
        assert_eq!(selector("wgpu:integrated"), Selector::Integrated(0));
        assert_eq!(selector("vulkan:cpu"), Selector::Cpu);
    }

    #[test]
    fn what_names_no_device_is_quoted_back() {
        for text in ["cdua", "cuda:x", "cuda:1:2", "flex:1", "wgpu:3", "wgpu:cpu:1", ":", "cuda:"] {
            let error = choose_device(Some(text), None, &BackendName::ALL).unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}` names no device")), "{error}");
        }
    }

    #[test]
    fn a_backend_that_is_not_compiled_in_says_how_to_get_it() {
        assert_eq!(
            choose_device(None, Some("cuda"), &[Wgpu, Flex]).unwrap_err().to_string(),
            "this program was built without `cuda` (it has: wgpu, flex); build it with \
             `--features cuda`"
        );
        assert_eq!(choose_device(None, None, &[]).unwrap_err(), DeviceError::NoBackend);
    }

    #[cfg(feature = "ndarray")]
    #[allow(deprecated, reason = "burn removes ndarray in 0.23; a second CPU oracle until then")]
    #[test]
    fn the_ndarray_feature_really_runs_ndarray() {
        use burn::backend::NdArrayDevice;
        use burn::tensor::{DType, Int, Tensor};

        assert_eq!(compiled_backends().last(), Some(&Flex));
        assert!(compiled_backends().contains(&NdArray));
        let chosen = choose_device(None, None, &[NdArray, Flex]).unwrap();
        assert_eq!(chosen.backend, NdArray);
        let resolved = resolve_device(Some("ndarray")).unwrap();
        let sum = Tensor::<1, Int>::from_data([1, 2], &resolved.device) + 1;
        assert_eq!(sum.device(), Device::new(NdArrayDevice::default()));
        assert_eq!(sum.into_data().dtype(), DType::I64, "integers are I32 on flex");
    }
}
