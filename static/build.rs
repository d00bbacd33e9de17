//! The build script: assembles the pages, compresses the assets, and writes the table of assets that `src/transport/page.rs` includes.
//!
//! The URLs in the pages contain the version of all assets together (`static/<version>/js/app.js`), so that browsers may cache them
//! forever; relative imports stay below the same version. `src/transport/page.rs` answers the requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Each page, the link that other pages have to it, and its script.
const PAGES: [(&str, &str, &str); 4] = [
    ("index.html", "./", "js/app.js"),
    ("compare.html", "compare", "js/compare/page.js"),
    ("handshake.html", "handshake", "js/handshake/page.js"),
    ("embed.html", "embed", "js/embed/page.js"),
];
/// Other served files and folders. The modules that the scripts import, libraries from npm among them, are added.
const SERVED: [&str; 3] = ["favicon.svg", "css", "js"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("static");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut files = BTreeMap::new();
    for name in SERVED {
        collect(&root, name, &mut files)?;
    }
    println!("cargo::rerun-if-changed=static/parts");
    for (page, link, script) in PAGES {
        let mut modules = BTreeSet::new();
        if let Err(err) = imports(&root, script, &mut modules) {
            println!("cargo::error={err}; `make` installs what is missing with `npm ci`");
            return Ok(());
        }
        let mut later = modules.clone();
        for module in &modules {
            if let Err(err) = lazy(&root, module, &mut later) {
                println!("cargo::error={err}; `make` installs what is missing with `npm ci`");
                return Ok(());
            }
        }
        for module in &later {
            files.insert(module.clone(), read(&root, module)?);
        }
        files.insert(page.into(), assembled(&root, page, link, &modules)?.into_bytes());
    }
    let mut all = Sha256::new();
    for (name, content) in &files {
        all.update(name.as_bytes());
        all.update(content);
    }
    let version = digits(&all.finalize());
    let mut table = format!("const VERSION: &str = \"{version}\";\nconst ASSETS: &[Asset] = &[\n");
    for (index, (name, content)) in files.into_iter().enumerate() {
        append(&mut table, &out.join(index.to_string()), &name, versioned(&name, content, &version))?;
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)
}

/// Adds the file `name` below `root`, or the files of the folder of this name.
fn collect(root: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    if !fs::metadata(root.join(name))?.is_dir() {
        files.insert(name.into(), read(root, name)?);
        return Ok(());
    }
    println!("cargo::rerun-if-changed=static/{name}");
    for entry in fs::read_dir(root.join(name))? {
        collect(root, &format!("{name}/{}", entry?.file_name().to_string_lossy()), files)?;
    }
    Ok(())
}

/// Reads a file below `root`; the script runs again when it changes.
fn read(root: &Path, name: &str) -> io::Result<Vec<u8>> {
    println!("cargo::rerun-if-changed=static/{name}");
    fs::read(root.join(name)).map_err(|err| io::Error::new(err.kind(), format!("static/{name}: {err}")))
}

/// Adds the module `name` and every module that it imports, directly or through others.
fn imports(root: &Path, name: &str, modules: &mut BTreeSet<String>) -> io::Result<()> {
    if !modules.insert(name.into()) {
        return Ok(());
    }
    let source = String::from_utf8(read(root, name)?).expect("scripts are UTF-8");
    for line in source.lines().filter(|line| ["import", "export", "}"].iter().any(|start| line.starts_with(start))) {
        // The compiler of TypeScript writes single quotes.
        let quoted = line.split_once("from \"").and_then(|(_, path)| path.strip_suffix("\";"));
        let quoted = quoted.or_else(|| line.split_once("from '").and_then(|(_, path)| path.strip_suffix("';")));
        let Some(path) = quoted else { continue };
        imports(root, &relative(name, path), modules)?;
    }
    Ok(())
}

/// Adds what a module loads with `import("…")` only when it is needed, and every module that this imports. A page does not preload it.
fn lazy(root: &Path, name: &str, modules: &mut BTreeSet<String>) -> io::Result<()> {
    let source = String::from_utf8(read(root, name)?).expect("scripts are UTF-8");
    for part in source.split("await import(\"").skip(1) {
        let Some((path, _)) = part.split_once("\")") else { continue };
        imports(root, &relative(name, path), modules)?;
    }
    Ok(())
}

/// Returns the path that a module means by a relative one.
fn relative(module: &str, path: &str) -> String {
    let folder = module.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns a page with its parts included, the link to itself marked, and every module preloaded: without that, the browser would
/// learn of a module only after it has loaded the module that imports it.
fn assembled(root: &Path, name: &str, link: &str, modules: &BTreeSet<String>) -> io::Result<String> {
    let mut text = String::from_utf8(read(root, name)?).expect("pages are UTF-8");
    for part in ["parts/head.html", "parts/masthead.html"] {
        let content = String::from_utf8(read(root, part)?).expect("pages are UTF-8");
        text = text.replace(&format!("<!-- include {part} -->"), content.trim());
    }
    text = text.replace(&format!("<a href=\"{link}\" "), &format!("<a href=\"{link}\" aria-current=\"page\" "));
    let script = "<script type=\"module\"";
    let mut links = String::new();
    for module in modules {
        writeln!(links, "<link rel=\"modulepreload\" href=\"static/{module}\">")
            .expect("writing to a string does not fail");
    }
    Ok(text.replace(script, &(links + script)))
}

/// Returns the content of a page with the version in its URLs.
fn versioned(name: &str, content: Vec<u8>, version: &str) -> Vec<u8> {
    if Path::new(name).extension().is_none_or(|extension| extension != "html") {
        return content;
    }
    let mut text = String::from_utf8(content).expect("pages are UTF-8");
    for attribute in ["src", "href"] {
        let old = format!("{attribute}=\"static/");
        text = text.replace(&old, &format!("{old}{version}/"));
    }
    text.into_bytes()
}

/// Writes an asset and its compressed forms to files that begin with `path`, and its entry to the table.
fn append(table: &mut String, path: &Path, name: &str, content: Vec<u8>) -> io::Result<()> {
    let mut brotli = Vec::new();
    brotli::BrotliCompress(&mut content.as_slice(), &mut brotli, &brotli::enc::BrotliEncoderParams::default())?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    io::copy(&mut content.as_slice(), &mut gzip)?;
    let tag = digits(&Sha256::digest(&content));
    write!(table, "    Asset {{ name: {name:?}, tag: {tag:?}").expect("writing to a string does not fail");
    for (form, bytes) in [("identity", content), ("brotli", brotli), ("gzip", gzip.finish()?)] {
        let path = path.with_extension(form);
        fs::write(&path, bytes)?;
        let path = path.to_string_lossy();
        write!(table, ", {form}: include_bytes!({path:?})").expect("writing to a string does not fail");
    }
    table.push_str(" },\n");
    Ok(())
}

/// Returns the first 64 bits of a hash in hexadecimal: enough to tell the assets of two builds apart.
fn digits(hash: &[u8]) -> String {
    format!("{:016x}", u64::from_be_bytes(std::array::from_fn(|index| hash[index])))
}
