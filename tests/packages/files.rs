//! What the packages are made of: lists of files, configuration files, man pages, completions, scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::need;
use crate::pki::has;
use crate::support::dirs::Dir;
use crate::support::{ox, process};

const LIMIT: Duration = Duration::from_secs(60);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A line of the lists of Cargo.toml: source, place, mode.
#[derive(Debug)]
struct Asset {
    source: String,
    place: String,
    mode: String,
}

/// The lines between `[package.metadata.<tool>]` and the next table.
fn section(tool: &str) -> String {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let (_, section) = text.split_once(&format!("[package.metadata.{tool}]\n")).expect(tool);
    section.split("\n[").next().expect("a section").to_owned()
}

fn assets(tool: &str) -> Vec<Asset> {
    let section = section(tool);
    let lines =
        section.lines().filter(|line| line.starts_with("    [\"") || line.starts_with("    { source"));
    let asset = |line: &str| {
        let texts: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        let [source, place, mode, ..] = texts.as_slice() else { panic!("{line}") };
        let place = place.trim_start_matches('/').to_owned();
        Asset { source: (*source).to_owned(), place, mode: (*mode).to_owned() }
    };
    lines.map(asset).collect()
}

/// Files of a source with one `*` at most.
fn matches(source: &str) -> Vec<PathBuf> {
    let path = root().join(source);
    let (folder, name) =
        (path.parent().expect("a folder"), path.file_name().expect("a name").to_string_lossy());
    let (before, behind) = name.split_once('*').unwrap_or((&name, ""));
    let fits = |file: &str| {
        if name.contains('*') { file.starts_with(before) && file.ends_with(behind) } else { file == name }
    };
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .filter(|path| fits(&path.file_name().expect("a name").to_string_lossy()))
        .collect()
}

#[test]
fn both_packages_install_the_same_files_and_all_of_them_are_there() {
    let (deb, rpm) = (assets("deb"), assets("generate-rpm"));
    assert!(deb.len() > 20 && rpm.len() > 20);
    for asset in deb.iter().chain(&rpm) {
        let generated = asset.source.starts_with("packaging/generated/");
        assert!(generated || !matches(&asset.source).is_empty(), "{asset:?} is not there");
        for file in matches(&asset.source).iter().filter(|_| asset.mode == "755" && !generated) {
            let mode = fs::metadata(file).expect("a file").permissions().mode();
            assert_ne!(mode & 0o111, 0, "{} is executable in the sources, too", file.display());
        }
    }
    // Places differ where the families of distributions do.
    let same = |assets: &[Asset]| -> BTreeMap<String, String> {
        let place = |place: &str| {
            place
                .replace("usr/lib/systemd/system/", "lib/systemd/system/")
                .replace("usr/share/zsh/site-functions/", "usr/share/zsh/vendor-completions/")
                .replace("usr/share/licenses/", "usr/share/doc/")
        };
        assets.iter().map(|asset| (place(&asset.place), asset.mode.clone())).collect()
    };
    let (mut deb, mut rpm) = (same(&deb), same(&rpm));
    assert!(deb.remove("usr/share/lintian/overrides/oxkeeper").is_some());
    assert!(rpm.remove("usr/share/doc/oxkeeper/LICENSE").is_some(), "in a deb it is the file copyright");
    assert_eq!(deb, rpm);
}

#[test]
fn everything_in_etc_is_a_configuration_file_and_nobody_elses_to_read() {
    let shipped: BTreeSet<String> = matches("packaging/etc/*")
        .iter()
        .map(|path| format!("/etc/oxkeeper/{}", path.file_name().expect("a name").to_string_lossy()))
        .collect();
    let deb = section("deb");
    let conffiles = deb.lines().find_map(|line| line.strip_prefix("conf-files = ")).expect("conf-files");
    let listed: BTreeSet<String> = conffiles.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(listed, shipped);
    let rpm = section("generate-rpm");
    let line = rpm.lines().find(|line| line.contains("packaging/etc/*")).expect("a line");
    assert!(line.contains("config = \"noreplace\"") && line.contains("group = \"oxkeeper\""), "{line}");
    for asset in assets("deb").iter().chain(&assets("generate-rpm")).filter(|a| a.place.starts_with("etc/")) {
        assert_eq!(asset.mode, "640", "{asset:?}");
    }
}

#[test]
fn every_command_has_a_man_page_and_is_completed() {
    let home = Dir::new("generate");
    let into = home.path().to_str().expect("a path");
    let generate = |args: &[&str]| {
        process::run(ox::command(&[&["generate"], args].concat()), None, LIMIT).expect("an end")
    };
    let (status, said) = generate(&["man", into]);
    assert!(status.success(), "{said}");
    let (_, help) = process::run(ox::command(&["--help"]), None, LIMIT).expect("an end");
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|word| *word != "help")
        .collect();
    assert!(commands.len() > 10 && commands.contains(&"serve"), "{help}");
    for command in &commands {
        let page = fs::read_to_string(home.path().join(format!("oxkeeper-{command}.1"))).expect(command);
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{page}");
    }
    let written = fs::read_dir(home.path()).expect("a directory").count();
    assert_eq!(written, commands.len() + 1, "nothing that is hidden has a page");
    for (shell, file) in [("bash", "oxkeeper.bash"), ("zsh", "_oxkeeper"), ("fish", "oxkeeper.fish")] {
        let (status, said) = generate(&["completions", shell, into]);
        assert!(status.success(), "{said}");
        let text = fs::read_to_string(home.path().join(file)).expect(file);
        assert!(commands.iter().all(|command| text.contains(command)), "{file}");
    }
    let (status, said) = generate(&["man", "/nowhere"]);
    assert_eq!((status.code(), said.contains("name a directory that is there")), (Some(1), true), "{said}");
    need!("man pages are read by man", has("man"));
    for command in ["serve", "check", "status"] {
        let mut man = Command::new("man");
        man.args(["--warnings", "-l"]).arg(home.path().join(format!("oxkeeper-{command}.1")));
        man.env("MANPAGER", "cat").env("LC_ALL", "C.UTF-8").env("MANWIDTH", "120");
        let (status, page) = process::run(man, None, LIMIT).expect("an end");
        assert!(status.success() && page.contains(&format!("oxkeeper-{command}")), "{page}");
        assert!(!page.contains("warning:"), "{page}");
    }
}

#[test]
fn scripts_of_the_packages_are_scripts() {
    for folder in ["packaging/deb", "packaging/rpm", "packaging/wrappers"] {
        for file in matches(&format!("{folder}/*")) {
            let name = file.display().to_string();
            if ["changelog", "licence", "lintian-overrides"].iter().any(|text| name.ends_with(text)) {
                continue;
            }
            let shell = if folder == "packaging/wrappers" { "bash" } else { "sh" };
            let mut command = Command::new(shell);
            command.arg("-n").arg(&file);
            let (status, said) = process::run(command, None, LIMIT).expect("an end");
            assert!(status.success(), "{name}: {said}");
        }
    }
}

#[test]
fn every_profile_starts_a_server_on_paper() {
    let home = Dir::new("profiles");
    for file in matches("conf/zoo.cfg.*").iter().chain(&matches("packaging/etc/zoo.cfg")) {
        let text = fs::read_to_string(file).expect("a profile");
        // Where an installation would have them: beside each other.
        let jaas = root().join("conf").display().to_string();
        let text = text.replace(
            "java.security.auth.login.config=/etc/zookeeper/conf",
            &format!("java.security.auth.login.config={jaas}"),
        );
        let copy = home.write("zoo.cfg", &text);
        let copy = copy.to_str().expect("a path");
        fs::set_permissions(copy, fs::Permissions::from_mode(0o600)).expect("private");
        let (status, said) = process::run(ox::command(&["check", copy]), None, LIMIT).expect("an end");
        // The sample of an ensemble lacks its myid, and says so; nothing else may be wrong.
        let wrong: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("error: ") || line.starts_with("warning: "))
            .collect();
        let expected = Path::new(file).extension().is_some_and(|name| name == "three-servers");
        assert!(status.success() || expected, "{}: {said}", file.display());
        assert!(
            wrong.iter().all(|line| line.contains("myid") || line.contains("may read")),
            "{}: {wrong:?}",
            file.display()
        );
    }
}
