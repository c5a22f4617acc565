//! The console in a real browser: what it shows, to whom, and that nothing a client wrote becomes markup.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use oxkeeper::client::{Blocking, ClientConfig};
use oxkeeper::types::{Acl, CreateMode, Id, perms};

use crate::commands::liven_up;
use crate::http::{get, request, start};
use crate::need;
use crate::pki::has;
use crate::support::dirs::Dir;
use crate::support::{Kind, Spec, process};

/// Longest run of the browser.
const LIMIT: Duration = Duration::from_secs(120);

/// A browser without a window.
pub struct Browser(Dir);

impl Browser {
    /// One with a profile of its own.
    ///
    /// # Errors
    /// This machine has none.
    pub fn new() -> Result<Browser, String> {
        has("chromium").map(|()| Browser(Dir::new("chromium")))
    }

    fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new("chromium");
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1200,900",
        ]);
        command.arg(format!("--user-data-dir={}", self.0.path().display())).args(args);
        let (status, printed) = process::run(command, None, LIMIT).expect("the browser runs");
        assert!(status.success(), "{printed}");
        printed
    }

    /// The page as it is once its scripts ran, and what the browser complained about.
    fn dom(&self, url: &str) -> String {
        self.run(&["--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--dump-dom", url])
    }

    /// A picture of a page.
    pub fn screenshot(&self, url: &str, file: &Path) {
        self.run(&["--virtual-time-budget=2000", &format!("--screenshot={}", file.display()), url]);
    }
}

/// Where pictures for the documentation are wanted.
pub fn screenshots() -> Option<PathBuf> {
    std::env::var_os("OXKEEPER_SCREENSHOTS").map(PathBuf::from)
}

const HOSTILE: &str = "<img src=x onerror=alert(1)>";

/// A tree with a znode that only one user may read, and one whose name and data are markup.
fn plant(session: &Blocking) {
    let client = session.client();
    let own = Acl { perms: perms::ALL, id: Id::new("digest", "bob:x9WG8a5wNyOVFeZqBIGkUiHWAAc=") };
    session.wait(async {
        for (path, data, acl) in [
            ("/app", "settings of the application", Acl::open()),
            ("/app/config", "{\"tick\": 2000}", Acl::open()),
            ("/app/secret", "the secret of bob", own),
            (&*format!("/{HOSTILE}"), "</pre><script>document.title='owned'</script>", Acl::open()),
        ] {
            client
                .create(path, Some(data.as_bytes()), &[acl], CreateMode::Persistent)
                .await
                .expect("created");
        }
    });
}

#[test]
fn pages_are_escaped_guarded_and_only_look() {
    let (server, port) = start(Kind::Oxkeeper, Spec::new()).expect("Oxkeeper");
    let session =
        Blocking::connect(ClientConfig::new(&server.address()).expect("an address")).expect("a session").0;
    plant(&session);
    for path in ["/", "/console/sessions", "/console/watches", "/console/tree", "/console/tree?path=/%3Cb%3E"]
    {
        let page = get(port, path);
        assert_eq!(page.status, 200, "{path}");
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(page.head.contains("x-frame-options: deny"), "{path}: {}", page.head);
        let text = page.text();
        assert!(
            !text.contains("<img") && !text.contains("<b>") && !text.contains("onerror=alert(1)>"),
            "{path}: {text}"
        );
        assert!(!text.contains("style=\"") && !text.contains(" onclick"), "{path}: nothing inline");
        assert_eq!(request(port, "POST", path, &[], b"x=1").status, 405, "{path}");
    }
    assert!(get(port, "/console/tree?path=/app/config").text().contains("{&quot;tick&quot;: 2000}"));
    let secret = get(port, "/console/tree?path=/app/secret").text();
    assert!(secret.contains("does not let you read") && !secret.contains("the secret of bob"), "{secret}");
    assert!(get(port, "/console/tree?path=/nowhere").text().contains("no such znode"));
}

#[test]
fn the_tree_shows_to_each_what_he_may_read() {
    let digest = |text: &str| oxkeeper::auth::generate_digest(oxkeeper::auth::DigestAlgorithm::Sha1, text);
    let spec = Spec::new()
        .cfg(&format!("admin.auth.read.1=digest:{}", digest("bob:bobsecret")))
        .cfg(&format!("admin.auth.read.2=digest:{}", digest("eve:eve")));
    let (server, port) = start(Kind::Oxkeeper, spec).expect("Oxkeeper");
    let session =
        Blocking::connect(ClientConfig::new(&server.address()).expect("an address")).expect("a session").0;
    let client = session.client();
    let own = Acl { perms: perms::ALL, id: Id::new("digest", digest("bob:bobsecret")) };
    session.wait(client.create("/secret", Some(b"of bob"), &[own], CreateMode::Persistent)).expect("created");
    let seen_by = |who: &str| {
        request(
            port,
            "GET",
            "/console/tree?path=/secret",
            &[("authorization", &format!("digest {who}"))],
            &[],
        )
    };
    let bob = seen_by("bob:bobsecret");
    assert!(bob.text().contains("of bob") && bob.text().contains("cdrwa"), "{}", bob.text());
    let eve = seen_by("eve:eve");
    assert_eq!(eve.status, 200);
    assert!(!eve.text().contains("of bob") && !eve.text().contains("digest:bob"), "{}", eve.text());
    assert_eq!(seen_by("bob:wrong").status, 403);
}

#[test]
fn a_real_browser_shows_the_console() {
    let browser = need!("admin: the console in Chromium", Browser::new());
    let (server, port) = start(Kind::Oxkeeper, Spec::new()).expect("Oxkeeper");
    let session = liven_up(&server.address());
    plant(&session);
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let overview = browser.dom(&url("/"));
    assert!(overview.contains("<h1>Overview</h1>") && overview.contains("standalone"), "{overview}");
    assert!(overview.contains("Next of 1 sessions"), "the next expiry is shown: {overview}");
    let sessions = browser.dom(&url("/console/sessions"));
    assert!(sessions.contains("data-left=") && sessions.contains("127.0.0.1:"), "{sessions}");
    // The script ran: the server writes minutes or seconds in the same words, the browser counts on.
    assert!(sessions.contains(">in ") || sessions.contains(">over<"), "{sessions}");
    let watches = browser.dom(&url("/console/watches"));
    assert!(watches.contains("/e</a>"), "{watches}");
    let hostile = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
    let tree = browser.dom(&url(&format!("/console/tree?path=/{hostile}")));
    assert!(!tree.contains("<title>owned") && !tree.contains("<img"), "{tree}");
    assert!(tree.contains("&lt;/pre&gt;&lt;script&gt;"), "{tree}");
    for page in [&overview, &sessions, &watches, &tree] {
        assert!(!page.contains("Content Security Policy") && !page.contains("Refused to"), "{page}");
    }
    // For the documentation, on request.
    if let Some(dir) = screenshots() {
        for (name, path) in [
            ("overview", "/"),
            ("sessions", "/console/sessions"),
            ("watches", "/console/watches"),
            ("tree", "/console/tree?path=/app"),
            ("forbidden", "/console/tree?path=/app/secret"),
        ] {
            browser.screenshot(&url(path), &dir.join(format!("console-{name}.png")));
        }
    }
}
