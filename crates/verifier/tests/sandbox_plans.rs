//! The sandbox in its weaker forms: what is refused, what is reported, and that each layer holds
//! by itself.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fireproof_verifier::{
    End, Finished, Layer, Limits, Sandbox, SandboxConfig, SandboxError, Wish,
};

fn run(sandbox: &Sandbox, program: &str) -> Finished {
    sandbox.run(program, b"", &Limits::default()).expect("set-up")
}

fn output(sandbox: &Sandbox, program: &str) -> String {
    let run = run(sandbox, program);
    let errors = String::from_utf8_lossy(&run.errors).into_owned();
    assert_eq!(run.end, End::Exited(0), "{errors}");
    String::from_utf8(run.output).expect("set-up")
}

/// Nothing but what the arguments ask for, trusted programs only.
fn bare(namespaces: Wish, landlock: Wish) -> SandboxConfig {
    SandboxConfig {
        namespaces,
        landlock,
        seccomp: Wish::Never,
        allow_uncontained: true,
        ..SandboxConfig::default()
    }
}

#[test]
fn without_walls_there_is_no_sandbox_unless_told_otherwise() {
    let refused = |config: SandboxConfig| match Sandbox::new(&config) {
        Err(SandboxError::Refused { layer, .. }) => layer,
        other => panic!("{other:?}"),
    };
    let config = SandboxConfig::default();
    assert_eq!(refused(SandboxConfig { seccomp: Wish::Never, ..config.clone() }), "seccomp");
    let open = SandboxConfig { namespaces: Wish::Never, landlock: Wish::Never, ..config };
    assert_eq!(refused(open), "both namespaces and Landlock");
    let bare = Sandbox::new(&bare(Wish::Never, Wish::Never)).unwrap();
    for layer in [Layer::Seccomp, Layer::Landlock, Layer::MountNamespace, Layer::PidNamespace] {
        assert_eq!(bare.layers().reason(layer), Some("not wanted"), "{layer:?}");
    }
    assert_eq!(output(&bare, "print('honest')"), "honest\n");
}

#[test]
fn a_missing_interpreter_is_not_a_wrong_answer() {
    for interpreter in ["/no/such/python", "/bin/true", "/etc/hostname"] {
        let config = SandboxConfig { interpreter: interpreter.into(), ..SandboxConfig::default() };
        let error = Sandbox::new(&config).unwrap_err();
        assert!(matches!(error, SandboxError::Interpreter { .. }), "{error}");
        assert!(error.to_string().contains(interpreter), "{error}");
    }
}

/// Also run by the test below, without capabilities.
#[test]
fn namespaces_that_are_demanded_are_there_or_an_error() {
    let demand = |namespaces| SandboxConfig { namespaces, ..SandboxConfig::default() };
    let offered = Sandbox::new(&demand(Wish::Available)).unwrap();
    match Sandbox::new(&demand(Wish::Required)) {
        Ok(sandbox) => {
            assert!(sandbox.layers().is_active(Layer::PidNamespace));
            assert_eq!(sandbox.layers(), offered.layers());
        }
        Err(SandboxError::Refused { layer, reason }) => {
            assert_eq!(layer, "namespaces");
            assert_eq!(offered.layers().reason(Layer::MountNamespace), Some(reason.as_str()));
            println!("refused: {reason}");
        }
        Err(error) => panic!("{error}"),
    }
    assert_eq!(output(&offered, "print('honest')"), "honest\n");
}

#[test]
fn root_without_capabilities_is_refused_the_namespaces_it_demands() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    if !status.contains("Uid:\t0\t0") {
        // Nothing to give up: the test above is all there is.
        return;
    }
    let output = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "namespaces_that_are_demanded_are_there_or_an_error", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert!(text.contains("refused: by root's right: "), "{text}");
    assert!(text.contains("Operation not permitted"), "{text}");
}

#[test]
fn without_any_layer_a_program_still_has_no_capabilities() {
    let bare = Sandbox::new(&bare(Wish::Never, Wish::Never)).unwrap();
    let program = "for line in open('/proc/self/status'):\n    print(line, end='')";
    let status = output(&bare, program);
    for field in ["CapPrm", "CapEff", "CapAmb"] {
        assert!(status.contains(&format!("{field}:\t0000000000000000")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
}

/// Seccomp forbids processes; here it is off, so that the namespace has to do it alone.
#[test]
fn a_pid_namespace_takes_daemons_and_bombs_with_it() {
    let sandbox = Sandbox::new(&bare(Wish::Available, Wish::Never)).unwrap();
    let name = format!("daemon{}", std::process::id() % 100_000);
    let daemon = format!(
        "import ctypes, os, time\n\
         ctypes.CDLL(None).prctl(15, b'{name}')\n\
         if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n\
         print('started')"
    );
    let bomb = format!(
        "import ctypes, os\nctypes.CDLL(None).prctl(15, b'{name}')\n\
         while True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    );
    if !sandbox.layers().is_active(Layer::PidNamespace) {
        assert!(sandbox.layers().reason(Layer::PidNamespace).is_some());
        return;
    }
    assert!(output(&sandbox, &daemon).contains("started"));
    assert_eq!(processes_named(&name), 0);
    let wall = Duration::from_millis(500);
    let limits = Limits { wall, threads: 8, ..Limits::default().with_time_ms(300) };
    let run = sandbox.run(&bomb, b"", &limits).unwrap();
    assert_eq!(run.end, End::TimeLimit);
    assert_eq!(processes_named(&name), 0);
}

fn processes_named(name: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("set-up").flatten();
    let comm = |path: &Path| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
    entries.filter(|entry| comm(&entry.path()).trim() == name).count()
}

/// Seccomp forbids sockets; here it is off, so that the others have to do it alone.
#[test]
fn namespaces_and_landlock_each_keep_programs_off_the_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let program = format!(
        "import socket\ntry:\n    socket.create_connection(('127.0.0.1', {port}), 1)\n    print('reached')\n\
         except OSError as error:\n    print(error.errno)"
    );
    let open = Sandbox::new(&bare(Wish::Never, Wish::Never)).unwrap();
    assert_eq!(output(&open, &program), "reached\n");
    assert!(listener.accept().is_ok());
    let namespaces = Sandbox::new(&bare(Wish::Available, Wish::Never)).unwrap();
    if namespaces.layers().is_active(Layer::NetworkNamespace) {
        assert_ne!(output(&namespaces, &program), "reached\n");
    }
    let landlock = Sandbox::new(&bare(Wish::Never, Wish::Available)).unwrap();
    if landlock.layers().is_active(Layer::LandlockNetwork) {
        assert_eq!(output(&landlock, &program), "13\n");
    }
    assert!(listener.accept().is_err());
}

#[test]
fn packages_can_be_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("data.txt");
    std::fs::write(&secret, "readable").unwrap();
    for path in [folder.path(), &secret] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = format!("print(open({:?}).read())", secret.display().to_string());
    let closed = Sandbox::new(&SandboxConfig::default()).unwrap();
    assert_eq!(run(&closed, &program).end, End::Exited(1));
    let readable = vec![folder.path().to_owned()];
    let config = SandboxConfig { readable, site_packages: true, ..SandboxConfig::default() };
    let open = Sandbox::new(&config).unwrap();
    assert_eq!(output(&open, &program), "readable\n");
    let write = format!("open({:?}, 'a')", secret.display().to_string());
    assert_eq!(run(&open, &write).end, End::Exited(1));
}

#[test]
fn many_run_at_once_without_disturbing_each_other() {
    let sandbox = Sandbox::new(&SandboxConfig::default()).unwrap();
    let program = "import os, threading\nopen('mine', 'x').write(input())\n\
                   t = threading.Thread(target=lambda: print(open('mine').read(), os.listdir('.')))\n\
                   t.start()\nt.join()";
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for turn in 0..4 {
                    let input = format!("{worker}-{turn}");
                    let run = sandbox.run(program, input.as_bytes(), &Limits::default()).unwrap();
                    let text = String::from_utf8_lossy(&run.output).into_owned();
                    assert_eq!(text, format!("{input} ['mine']\n"), "{:?}", run.end);
                }
            });
        }
    });
}
