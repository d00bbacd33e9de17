//! The build script: assembles the pages, compresses the assets, and writes the table of assets that `src/transport/page.rs` includes.
//!
//! The modules of a page are joined into one script (`pack.rs`), and its style sheets into one.
//!
//! The URLs in the pages contain the version of all assets together (`static/<version>/js/app.js`), so that browsers may cache them
//! forever; relative imports stay below the same version. `src/transport/page.rs` answers the requests.

mod pack;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Each page, the link that other pages have to it, and its script.
const PAGES: [(&str, &str, &str); 5] = [
    ("index.html", "./", "js/app.js"),
    ("compare.html", "compare", "js/compare/page.js"),
    ("handshake.html", "handshake", "js/handshake/page.js"),
    ("embed.html", "embed", "js/embed/page.js"),
    ("admin.html", "admin", "js/admin/page.js"),
];
/// Other served files and folders. The modules that the scripts import, libraries from npm among them, are added.
const SERVED: [&str; 5] = ["favicon.svg", "manifest.webmanifest", "icons", "css", "js"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("static");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut files = BTreeMap::new();
    for name in SERVED {
        collect(&root, name, &mut files)?;
    }
    println!("cargo::rerun-if-changed=static/parts");
    for (page, link, script) in PAGES {
        if let Err(err) = add_page(&root, page, link, script, &mut files) {
            println!("cargo::error={err}; `make` installs what is missing with `npm ci`");
            return Ok(());
        }
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

/// Adds a page, its scripts and its style sheet.
fn add_page(
    root: &Path,
    page: &str,
    link: &str,
    script: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> io::Result<()> {
    let pack = pack::pack(script, &|name| read_text(root, name))?;
    let mut preloaded = BTreeSet::from([script.to_owned()]);
    for (user, libraries) in pack.libraries.into_iter().filter(|(_, libraries)| !libraries.is_empty()) {
        let path = pack::libraries_of(&user);
        let mut needed = BTreeSet::from([path.clone()]);
        let mut part = pack::used_parts(root, &libraries)?;
        for library in libraries.keys().filter(|_| part.is_none()) {
            add_library(root, library, files, &mut needed)?;
        }
        let all = libraries.keys().map(|library| format!("export * from \"{}\";\n", pack::relative(&path, library)));
        let part = part.take().unwrap_or_else(|| all.collect());
        files.insert(path, part.into_bytes());
        if user == script {
            preloaded.extend(needed);
        }
    }
    for (name, text) in pack.scripts {
        files.insert(name, pack::minified(root, text, "js")?.into_bytes());
    }
    let sheet = format!("css/{}", page.replace(".html", ".joined.css"));
    let (text, styles) = assembled(root, page, link, &sheet, &preloaded)?;
    files.insert(sheet, pack::minified(root, styles, "css")?.into_bytes());
    files.insert(page.into(), text.into_bytes());
    Ok(())
}

/// Adds a file of an npm package, and those that it imports.
fn add_library(
    root: &Path,
    name: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
    preloaded: &mut BTreeSet<String>,
) -> io::Result<()> {
    if !preloaded.insert(name.into()) {
        return Ok(());
    }
    let source = read_text(root, name)?;
    for line in source.lines().filter(|line| ["import", "export", "}"].iter().any(|start| line.starts_with(start))) {
        // The compiler of TypeScript writes single quotes.
        let line = line.replace('\'', "\"");
        let Some(path) = line.split_once("from \"").and_then(|(_, path)| path.strip_suffix("\";")) else { continue };
        add_library(root, &pack::resolved(name, path), files, preloaded)?;
    }
    files.insert(name.into(), source.into_bytes());
    Ok(())
}

fn read_text(root: &Path, name: &str) -> io::Result<String> {
    String::from_utf8(read(root, name)?).map_err(io::Error::other)
}

/// Returns a page with its parts included, its comments removed, the link to itself marked, one style sheet in place of all, and every
/// script preloaded; and the text of the style sheet.
fn assembled(
    root: &Path,
    name: &str,
    link: &str,
    sheet: &str,
    scripts: &BTreeSet<String>,
) -> io::Result<(String, String)> {
    let mut text = read_text(root, name)?;
    for part in ["parts/head.html", "parts/masthead.html"] {
        text = text.replace(&format!("<!-- include {part} -->"), read_text(root, part)?.trim());
    }
    while let Some((before, comment)) = text.split_once("<!--") {
        text = format!("{}{}", before.trim_end(), comment.split_once("-->").map_or("", |(_, after)| after));
    }
    text = text.replace(&format!("<a href=\"{link}\" "), &format!("<a href=\"{link}\" aria-current=\"page\" "));
    let mut styles = String::new();
    let open = "<link rel=\"stylesheet\" href=\"static/";
    let names: Vec<String> = text.split(open).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.into())).collect();
    for (index, name) in names.iter().enumerate() {
        styles.push_str(&read_text(root, name)?);
        let link = format!("{open}{name}\">");
        text = text.replace(&link, &if index == 0 { format!("{open}{sheet}\">") } else { String::new() });
    }
    let script = "<script type=\"module\"";
    let mut links = String::new();
    for name in scripts {
        writeln!(links, "<link rel=\"modulepreload\" href=\"static/{name}\">")
            .expect("writing to a string does not fail");
    }
    Ok((text.replace(script, &(links + script)), styles))
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
