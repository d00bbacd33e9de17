//! The build script: compresses what `/static/` serves, once for each change of it, and writes the table of assets that
//! `src/transport/page.rs` includes.
//!
//! The addresses in the pages get the version of all assets together (`/static/<version>/js/app.js`), so that browsers may keep
//! them for good: relative imports stay below the same version. How an asset is answered is `transport`'s business.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Folders whose files are served, and single files. Libraries come from npm, see `package.json`.
const SERVED: [&str; 10] = [
    "index.html",
    "compare.html",
    "handshake.html",
    "favicon.svg",
    "css",
    "js",
    "node_modules/@noble/hashes/legacy.js",
    "node_modules/@noble/hashes/_md.js",
    "node_modules/@noble/hashes/_u64.js",
    "node_modules/@noble/hashes/utils.js",
];
const CHARTS: &str = "node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("static");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut files = Vec::new();
    for name in SERVED.iter().chain(&[CHARTS]) {
        println!("cargo::rerun-if-changed=static/{name}");
        if let Err(err) = collect(&root.join(name), &mut files) {
            println!("cargo::error=static/{name}: {err}; `make` installs what is missing with `npm ci`");
            return Ok(());
        }
    }
    files.sort();
    let mut contents = Vec::new();
    let mut all = Sha256::new();
    for file in &files {
        let name = file.strip_prefix(&root).expect("collected below it").to_string_lossy().replace('\\', "/");
        let content = fs::read(file)?;
        all.update(name.as_bytes());
        all.update(&content);
        contents.push((name, content));
    }
    let version = digits(&all.finalize());
    let mut table = format!("const VERSION: &str = \"{version}\";\nconst ASSETS: &[Asset] = &[\n");
    for (index, (name, content)) in contents.into_iter().enumerate() {
        append(&mut table, &out.join(index.to_string()), &name, versioned(&name, content, &version))?;
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)
}

/// Appends the files at or below `path`.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        files.push(path.into());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

/// Returns the content with the version in the addresses of a page.
fn versioned(name: &str, content: Vec<u8>, version: &str) -> Vec<u8> {
    if Path::new(name).extension().is_none_or(|extension| extension != "html") {
        return content;
    }
    let mut text = String::from_utf8(content).expect("pages are UTF-8");
    for attribute in ["src", "href"] {
        for prefix in ["/static/", "static/"] {
            let old = format!("{attribute}=\"{prefix}");
            text = text.replace(&old, &format!("{old}{version}/"));
        }
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
