#!/usr/bin/env python3
"""What the binary is made of: sbom.py <directory> writes sbom.cdx.json (CycloneDX 1.5) and THIRD-PARTY.txt there.

Both come from `cargo metadata` and Cargo.lock alone, for the target of this machine, without dependencies of tests and
build scripts' own tools; the same lock file gives the same bytes. Needs nothing but Python and cargo.
"""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

LICENCE_NAMES = ("license", "licence", "copying", "unlicense", "notice")


def metadata():
    host = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.split()[1] for line in host.splitlines() if line.startswith("host:"))
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def linked(meta):
    """Packages that end up in the binary: reached by normal dependencies from the root, with their edges."""
    nodes = {node["id"]: node for node in meta["resolve"]["nodes"]}
    edges, todo = {}, [meta["resolve"]["root"]]
    while todo:
        package = todo.pop()
        if package in edges:
            continue
        normal = lambda dep: any(kind["kind"] is None for kind in dep["dep_kinds"])
        edges[package] = sorted(dep["pkg"] for dep in nodes[package]["deps"] if normal(dep))
        todo += edges[package]
    return edges


def checksums():
    # Cargo writes one `key = "value"` a line; Python 3.9 has no parser of TOML.
    found = {}
    for part in pathlib.Path("Cargo.lock").read_text().split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(\w+) = "(.*)"$', part, re.MULTILINE))
        found[fields["name"], fields["version"]] = fields.get("checksum")
    return found


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, sums):
    entry = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
        "licenses": [{"expression": (package["license"] or "NOASSERTION").replace("/", " OR ")}],
    }
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def sbom(meta, edges, packages):
    sums = checksums()
    root = packages[meta["resolve"]["root"]]
    others = [packages[id] for id in edges if id != meta["resolve"]["root"]]
    components = sorted((component(p, sums) for p in others), key=lambda c: c["bom-ref"])
    main = component(root, sums) | {"type": "application"}
    dependencies = [
        {"ref": purl(packages[id]), "dependsOn": sorted(purl(packages[d]) for d in deps)} for id, deps in edges.items()
    ]
    content = json.dumps(components, sort_keys=True)
    when = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, purl(root) + content)}",
        "version": 1,
        "metadata": {"timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": main},
        "components": components,
        "dependencies": sorted(dependencies, key=lambda d: d["ref"]),
    }


def licences(meta, edges, packages):
    """Names, versions and licences of all, then each text once with those that carry it."""
    texts, lines = {}, []
    for id in sorted(edges, key=lambda id: (packages[id]["name"], packages[id]["version"])):
        package = packages[id]
        if id == meta["resolve"]["root"]:
            continue
        name = f"{package['name']} {package['version']}"
        lines.append(f"{name}: {package['license'] or 'see its text'}")
        folder = pathlib.Path(package["manifest_path"]).parent
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.name.lower().startswith(LICENCE_NAMES):
                texts.setdefault(path.read_text(errors="replace").strip(), []).append(f"{name}, {path.name}")
    out = ["Oxkeeper contains these libraries under these licences.", "", *lines]
    for text, carriers in sorted(texts.items(), key=lambda item: item[1]):
        out += ["", "=" * 100, *carriers, "-" * 100, text]
    return "\n".join(out) + "\n"


def main():
    directory = pathlib.Path(sys.argv[1])
    meta = metadata()
    packages = {package["id"]: package for package in meta["packages"]}
    edges = linked(meta)
    text = json.dumps(sbom(meta, edges, packages), indent=1, ensure_ascii=False) + "\n"
    (directory / "sbom.cdx.json").write_text(text)
    (directory / "THIRD-PARTY.txt").write_text(licences(meta, edges, packages))


if __name__ == "__main__":
    main()
