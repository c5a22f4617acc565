//! Secrets stay secret: a unique text for each, every flow driven at trace level, every output
//! searched.
//!
//! # Invariants
//!
//! * A text is searched for as it is, as base64, in hexadecimal, and as Rust prints bytes.
//! * The control plants one text where it is shown, and must find it in every output that shows it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oxkeeper::auth::{DigestAlgorithm, generate_digest};
use oxkeeper::error::Code;
use oxkeeper::proto::{CreateKind, OpCode, Proof, Request};
use oxkeeper::types::{Acl, Id, perms};

use crate::audit_script::{create, expect, plain};
use crate::support::dirs::Dir;
use crate::support::process::{Process, run};
use crate::support::{fourlw, ox, ports};
use crate::wire::Wire;

/// Places that a secret stands in; each gets a text of its own.
const PLACES: [&str; 16] = [
    "superDigest",
    "superDigest password",
    "JAAS password of bob",
    "JAAS password of super",
    "unknown JAAS option",
    "superPassword",
    "key store password",
    "trust store password",
    "quorum key store password",
    "unknown key",
    "misspelt key",
    "-D flag",
    "-D flag of java.env",
    "flag of SERVER_JVMFLAGS",
    "metrics provider setting",
    "addauth payload",
];

/// The hash in the ACL of a znode: data of the tree, which `dump` of root's own files shows.
const HASH: &str = "hash of the addauth payload";

/// One text a place, of letters and digits that nothing else has.
struct Canaries(BTreeMap<&'static str, String>);

impl Canaries {
    fn new() -> Canaries {
        let text = |i: usize| format!("cAnary{:02}x{:08x}", i, 0x9e37_79b9_u32.wrapping_mul(i as u32 + 1));
        let mut all: BTreeMap<_, _> = PLACES.iter().enumerate().map(|(i, p)| (*p, text(i))).collect();
        let proof = format!("super:{}", all["superDigest password"]);
        all.insert("superDigest", generate_digest(DigestAlgorithm::Sha1, &proof));
        let bob = format!("bob:{}", all["addauth payload"]);
        all.insert(HASH, generate_digest(DigestAlgorithm::Sha1, &bob));
        Canaries(all)
    }

    fn of(&self, place: &str) -> &str {
        &self.0[place]
    }

    /// Which places' texts stand in an output, and how they are written.
    fn found(&self, output: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for (place, text) in &self.0 {
            // The part behind the colon is the secret of a digest.
            let text = text.rsplit(':').next().unwrap_or(text);
            let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
            let bytes = format!("{:?}", text.as_bytes());
            let forms = [
                ("as it is", text.to_owned()),
                ("as base64", STANDARD.encode(text).trim_end_matches('=').to_owned()),
                ("in hexadecimal", hex),
                ("as bytes", bytes.trim_matches(['[', ']']).to_owned()),
            ];
            for (form, needle) in forms {
                if output.windows(needle.len()).any(|w| w.eq_ignore_ascii_case(needle.as_bytes())) {
                    found.push(format!("{place} {form}"));
                }
            }
        }
        found
    }
}

/// A server with every secret in its configuration, and what it has put out.
struct Scene {
    home: Dir,
    port: u16,
    process: Process,
    outputs: BTreeMap<String, Vec<u8>>,
}

impl Scene {
    fn start(canaries: &Canaries, layout: &str) -> Scene {
        let home = Dir::new("canary");
        let port = ports::free();
        write_configuration(&home, canaries, layout, port);
        let mut command = serve(&home, canaries);
        command.arg("--log-level=trace").arg(home.path().join("zoo.cfg"));
        let process = Process::start(command, &home.path().join("log")).expect("started");
        let mut scene = Scene { home, port, process, outputs: BTreeMap::new() };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !fourlw::serves(port) {
            assert!(scene.process.ended().is_none() && Instant::now() < deadline, "{}", scene.process.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        scene
    }

    fn keep(&mut self, name: impl Into<String>, output: impl Into<Vec<u8>>) {
        self.outputs.insert(name.into(), output.into());
    }

    fn words(&mut self) {
        for word in [
            "conf", "cons", "crst", "dirs", "dump", "envi", "hash", "isro", "mntr", "ruok", "srst", "srvr",
            "stat", "wchc", "wchp", "wchs", "gtmk", "stmk", "lead",
        ] {
            let answer = fourlw::ask(self.port, word).unwrap_or_default();
            self.keep(format!("word {word}"), answer);
        }
    }

    /// Output of a command of ours about this server's files.
    fn tool(&mut self, canaries: &Canaries, args: &[&str]) {
        let mut command = ox::command(args);
        command.env("SERVER_JVMFLAGS", flags(canaries));
        let (_, said) = run(command, None, Duration::from_secs(120)).expect("ran");
        let name = format!("oxkeeper {} ({})", args[0], self.outputs.len());
        self.keep(name, said);
    }

    fn tools(&mut self, canaries: &Canaries) {
        let path = |name: &str| self.home.path().join(name).display().to_string();
        let (cfg, data, audit) = (path("zoo.cfg"), path("data"), path("audit"));
        self.tool(canaries, &["check", &cfg]);
        self.tool(canaries, &["check", "--json", &cfg]);
        self.tool(canaries, &["fsck", &data]);
        self.tool(canaries, &["status", &cfg]);
        self.tool(canaries, &["audit", "verify", &audit]);
        let logs = std::fs::read_dir(Path::new(&data).join("version-2")).expect("a directory").flatten();
        let logs: Vec<PathBuf> = logs.map(|e| e.path()).collect();
        for log in logs.iter().filter(|p| p.is_file()) {
            self.tool(canaries, &["dump", &log.display().to_string()]);
        }
    }

    /// Ends the server and takes what it left behind.
    fn end(&mut self) {
        self.process.stop();
        let log = self.process.log();
        self.keep("log", log);
        for name in ["audit.log", "audit.log.head"] {
            let bytes = std::fs::read(self.home.path().join("audit").join(name)).unwrap_or_default();
            self.keep(name, bytes);
        }
    }

    fn findings(&self, canaries: &Canaries) -> Vec<String> {
        let mut all = Vec::new();
        for (name, output) in &self.outputs {
            let dump = name.starts_with("oxkeeper dump");
            let found = canaries.found(output).into_iter().filter(|f| !(dump && f.starts_with(HASH)));
            all.extend(found.map(|f| format!("{name}: {f}")));
        }
        all
    }
}

fn serve(home: &Dir, canaries: &Canaries) -> Command {
    let mut command = ox::command(&["serve"]);
    command.arg(format!("-Dmy.own.flag={}", canaries.of("-D flag")));
    command.arg(format!("-Djava.security.auth.login.config={}", home.path().join("jaas.conf").display()));
    command.env("SERVER_JVMFLAGS", flags(canaries));
    command
}

fn flags(canaries: &Canaries) -> String {
    format!("-agentlib:x={}", canaries.of("flag of SERVER_JVMFLAGS"))
}

fn write_configuration(home: &Dir, canaries: &Canaries, layout: &str, port: u16) {
    let c = |place: &str| canaries.of(place);
    let at = |name: &str| home.path().join(name).display().to_string();
    std::fs::create_dir(at("audit")).expect("made");
    let cfg = format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
         4lw.commands.whitelist=*\naudit.enable=true\naudit.layout={layout}\naudit.file={}\n\
         authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\nfips-mode=false\n\
         DigestAuthenticationProvider.superDigest={}\nSASLAuthenticationProvider.superPassword={}\n\
         ssl.keyStore.password={}\nssl.trustStore.password={}\nmy.unknown.key={}\n\
         ssl.keyStore.pasword={}\nmetricsProvider.token={}\n",
        at("data"),
        at("audit/audit.log"),
        c("superDigest"),
        c("superPassword"),
        c("key store password"),
        c("trust store password"),
        c("unknown key"),
        c("misspelt key"),
        c("metrics provider setting"),
    );
    home.write("zoo.cfg", &cfg);
    let java_env = format!(
        "export JVMFLAGS=\"-Dzookeeper.ssl.quorum.keyStore.password={} -Danother.one={}\"\n",
        c("quorum key store password"),
        c("-D flag of java.env")
    );
    home.write("java.env", &java_env);
    let jaas = format!(
        "Server {{ org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"{}\" \
         user_super=\"{}\" mystery=\"{}\"; }};\n",
        c("JAAS password of bob"),
        c("JAAS password of super"),
        c("unknown JAAS option")
    );
    home.write("jaas.conf", &jaas);
    for name in ["zoo.cfg", "java.env", "jaas.conf"] {
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o644)).expect("set");
    }
}

fn auth<'a>(scheme: &'a str, proof: &'a str) -> Request<'a> {
    Request::Auth { scheme: scheme.into(), auth: Some(Proof(proof.as_bytes())) }
}

/// Logins of every kind, good and bad, with secrets in them.
fn logins(port: u16, canaries: &Canaries) {
    let payload = canaries.of("addauth payload");
    let mut wire = Wire::connect(port, 30_000).expect("a session");
    let bob = format!("bob:{payload}");
    expect(&mut wire, OpCode::Auth, &auth("digest", &bob), Code::Ok);
    expect(&mut wire, OpCode::Auth, &auth("ip", payload), Code::Ok);
    let mine = vec![Acl { perms: perms::ALL, id: Id::new("auth", "") }];
    expect(&mut wire, OpCode::Create, &create(CreateKind::Create, "/mine", 0, mine), Code::Ok);
    let get_acl = Request::GetAcl { path: "/mine".into() };
    expect(&mut wire, OpCode::GetAcl, &get_acl, Code::Ok);
    let root = format!("super:{}", canaries.of("superDigest password"));
    expect(&mut wire, OpCode::Auth, &auth("digest", &root), Code::Ok);
    let mut other = Wire::connect(port, 30_000).expect("a session");
    expect(
        &mut other,
        OpCode::GetData,
        &Request::GetData { path: "/mine".into(), watch: true },
        Code::NoAuth,
    );
    for scheme in ["nonsense", "sasl", "x509", "ensemble", payload] {
        let mut wire = Wire::connect(port, 30_000).expect("a session");
        // What a peer calls a scheme is its name and no secret: only the proof is one.
        let scheme = if scheme == payload { "digest:" } else { scheme };
        let _refused = wire.request(OpCode::Auth, &auth(scheme, payload));
    }
    sasl(port, canaries);
    garbage(port, payload);
}

/// DIGEST-MD5 with a wrong response, and tokens that are none.
fn sasl(port: u16, canaries: &Canaries) {
    let password = canaries.of("JAAS password of bob");
    for token in [password.to_owned(), format!("username=\"bob\",response={password}"), String::new()] {
        let mut wire = Wire::connect(port, 30_000).expect("a session");
        let _challenge = wire.request(OpCode::Sasl, &Request::Sasl { token: Some(Proof(b"")) });
        let _refused = wire.request(OpCode::Sasl, &Request::Sasl { token: Some(Proof(token.as_bytes())) });
    }
}

/// Broken frames around a secret.
fn garbage(port: u16, payload: &str) {
    for front in [&b"\0\0\0\x40"[..], b"\0\0\0\x08", b"", b"\xff\xff\xff\xff", b"conf"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
        let _ = stream.write_all(front).and_then(|()| stream.write_all(payload.as_bytes()));
        let _ = stream.read(&mut [0; 1000]);
    }
    let mut wire = Wire::connect(port, 30_000).expect("a session");
    let mut frame = Vec::new();
    wire.put(&mut frame, OpCode::Auth, |w| {
        w.i32(0);
        w.string(Some("digest"));
        w.i32(1_000_000); // longer than what follows
    });
    frame.extend_from_slice(payload.as_bytes());
    let _ = wire.send(&frame);
    let _ = wire.reply();
}

#[test]
fn no_secret_is_in_any_output() {
    let canaries = Canaries::new();
    for layout in ["java", "mrs", "json"] {
        let mut scene = Scene::start(&canaries, layout);
        logins(scene.port, &canaries);
        scene.words();
        scene.end();
        scene.tools(&canaries);
        let log = String::from_utf8_lossy(&scene.outputs["log"]).into_owned();
        for driven in ["DIGEST_", "AUTH_SCHEME", "AUTH_REFUSED", "DEBUG"] {
            assert!(log.contains(driven), "{layout}: {driven} is not in the log: {log}");
        }
        assert!(scene.outputs["log"].len() > 2000 && scene.outputs["audit.log"].len() > 2000, "{layout}");
        assert_eq!(scene.findings(&canaries), Vec::<String>::new(), "{layout}");
    }
}

#[test]
fn starts_that_are_refused_tell_no_secret() {
    let canaries = Canaries::new();
    let faults = [
        ("secureClientPort=1\nssl.keyStore.location=/dev/null\n", "a key store that is none"),
        ("clientPort=notanumber\n", "a wrong value"),
        ("audit.file=/dev/null/x\n", "an audit file that cannot be"),
        ("secrets.strictPermissions=true\n", "files that others may read"),
        ("dataDir=/dev/null/data\n", "a data directory that cannot be"),
    ];
    for (lines, what) in faults {
        let home = Dir::new("canary-refused");
        write_configuration(&home, &canaries, "json", ports::free());
        let cfg = home.path().join("zoo.cfg");
        let text = std::fs::read_to_string(&cfg).expect("text") + lines;
        std::fs::write(&cfg, text).expect("written");
        let mut command = serve(&home, &canaries);
        command.arg("--log-level=trace").arg(&cfg);
        let (status, said) = run(command, None, Duration::from_secs(60)).expect("ended");
        assert!(!status.success() && !said.is_empty(), "{what}: {said}");
        assert_eq!(canaries.found(said.as_bytes()), Vec::<String>::new(), "{what}: {said}");
    }
}

#[test]
fn a_planted_text_is_found() {
    let canaries = Canaries::new();
    for layout in ["java", "mrs", "json"] {
        let mut scene = Scene::start(&canaries, layout);
        let mut wire = Wire::connect(scene.port, 30_000).expect("a session");
        // Names of znodes are shown: a secret in one is in the audit log, and in the words on watches.
        let path = format!("/{}", canaries.of("addauth payload"));
        expect(&mut wire, OpCode::Create, &plain(&path, 0), Code::Ok);
        let watch = Request::GetData { path: path.as_str().into(), watch: true };
        expect(&mut wire, OpCode::GetData, &watch, Code::Ok);
        scene.words();
        scene.end();
        let found = scene.findings(&canaries);
        for output in ["audit.log: addauth payload as it is", "word wchc: addauth payload as it is"] {
            assert!(found.iter().any(|f| f == output), "{layout}: {output} is not in {found:?}");
        }
    }
    // The other forms.
    let secret = canaries.of("unknown key");
    for form in [STANDARD.encode(secret), format!("{:?}", secret.as_bytes()), secret.to_uppercase()] {
        assert_eq!(canaries.found(form.as_bytes()).len(), 1, "{form}");
    }
}
