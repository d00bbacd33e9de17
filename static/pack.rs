//! Joins the modules of a page into one script, so that a browser loads them with one request. The sources stay small modules that run
//! as they are; nothing here is needed to develop a page.
//!
//! Each module becomes a function that runs once, in the order of the imports, and returns what the module exports. Of each library from
//! npm, what the page uses becomes a file of its own. A module that is imported on demand, `await import("./x.js")`, becomes a script of its
//! own with the modules that only it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

/// The start of an import on demand. Types in comments are written without `await`.
const ON_DEMAND: &str = "await import(\"";

/// One module, taken apart.
struct Module {
    /// What it imports: path below `static/`, and names as in a destructuring pattern.
    imports: Vec<(String, String)>,
    /// What it exports, as in an object literal.
    exports: Vec<String>,
    /// Modules that it imports on demand.
    on_demand: Vec<String>,
    code: String,
}

/// The scripts of one page.
pub(crate) struct Pack {
    /// By path below `static/`: the script of the page, and those that it loads on demand.
    pub(crate) scripts: BTreeMap<String, String>,
    /// By the path of a script: what it uses of libraries.
    pub(crate) libraries: BTreeMap<String, Uses>,
}

/// The names that are used of libraries, by the path of the library.
pub(crate) type Uses = BTreeMap<String, BTreeSet<String>>;

/// Returns the path of what the script `entry` uses of libraries.
pub(crate) fn libraries_of(entry: &str) -> String {
    format!("{}.libraries.js", entry.trim_end_matches(".js"))
}

/// Joins the modules that the module `entry` imports, directly or through others.
///
/// # Errors
///
/// Returns an error if a file cannot be read, if modules import each other in a circle, or if an import or export is written in a form
/// that is not known here.
pub(crate) fn pack(entry: &str, read: &dyn Fn(&str) -> io::Result<String>) -> io::Result<Pack> {
    let mut reader = Reader { read, modules: BTreeMap::new(), order: Vec::new(), open: Vec::new() };
    reader.visit(entry)?;
    let main = reader.order.clone();
    let mut pack = Pack { scripts: BTreeMap::new(), libraries: BTreeMap::new() };
    let mut libraries = uses(&main, &reader.modules);
    let mut shared = BTreeSet::new();
    let mut parts: Vec<String> = main.iter().flat_map(|name| reader.modules[name].on_demand.clone()).collect();
    let mut placed = BTreeSet::new();
    while let Some(part) = parts.pop() {
        if pack.scripts.contains_key(&part) {
            continue;
        }
        reader.order.clone_from(&main);
        reader.visit(&part)?;
        let own = &reader.order[main.len()..];
        if let Some(twice) = own.iter().find(|name| !placed.insert((*name).clone())) {
            // Two copies of a module would not know each other's state.
            return Err(io::Error::other(format!("static/{twice} would be in two scripts that are loaded on demand")));
        }
        parts.extend(own.iter().flat_map(|name| reader.modules[name].on_demand.clone()));
        let used = own.iter().flat_map(|name| &reader.modules[name].imports).map(|(path, _)| path);
        let used: BTreeSet<String> = used.filter(|path| main.contains(path)).cloned().collect();
        let mut own_libraries = Uses::new();
        let mut script = format!("import {{ modules_ }} from \"{}\";\n", relative(&part, entry));
        for (library, names) in uses(own, &reader.modules) {
            // Two copies of a library would not know each other's objects.
            match libraries.get_mut(&library) {
                Some(known) => {
                    known.extend(names);
                    shared.insert(library);
                }
                None => drop(own_libraries.insert(library, names)),
            }
        }
        for name in used.iter().chain(libraries.keys()) {
            line(&mut script, &format!("const {} = modules_[\"{name}\"];", variable(name)));
        }
        append(&mut script, own, &reader.modules, &part, &own_libraries);
        shared.extend(used);
        let exports: Vec<&str> = reader.modules[&part].exports.iter().map(String::as_str).collect();
        line(&mut script, &format!("export const {{ {} }} = {};", exports.join(", "), variable(&part)));
        pack.scripts.insert(part.clone(), script);
        pack.libraries.insert(part, own_libraries);
    }
    let mut script = String::new();
    append(&mut script, &main, &reader.modules, entry, &libraries);
    let shared: Vec<String> = shared.iter().map(|name| format!("\"{name}\": {}", variable(name))).collect();
    line(&mut script, &format!("export const modules_ = {{ {} }};", shared.join(", ")));
    pack.scripts.insert(entry.into(), script);
    pack.libraries.insert(entry.into(), libraries);
    Ok(pack)
}

/// Returns what modules use of libraries.
fn uses(order: &[String], modules: &BTreeMap<String, Module>) -> Uses {
    let mut uses = Uses::new();
    for (path, names) in order.iter().flat_map(|name| &modules[name].imports).filter(|(path, _)| is_library(path)) {
        let names = names.split(", ").filter_map(|pair| pair.split(':').next());
        uses.entry(path.clone()).or_default().extend(names.map(str::to_owned));
    }
    uses
}

fn line(script: &mut String, text: &str) {
    script.push_str(text);
    script.push('\n');
}

struct Reader<'a> {
    read: &'a dyn Fn(&str) -> io::Result<String>,
    modules: BTreeMap<String, Module>,
    /// Each module after those that it imports.
    order: Vec<String>,
    /// The modules whose imports are being read.
    open: Vec<String>,
}

impl Reader<'_> {
    fn visit(&mut self, name: &str) -> io::Result<()> {
        if self.order.iter().any(|known| known == name) || is_library(name) {
            return Ok(());
        }
        if self.open.iter().any(|open| open == name) {
            return Err(io::Error::other(format!("static/{name} imports itself: {}", self.open.join(", "))));
        }
        if !self.modules.contains_key(name) {
            self.modules.insert(name.into(), taken_apart(name, &(self.read)(name)?)?);
        }
        self.open.push(name.into());
        let imported: Vec<String> = self.modules[name].imports.iter().map(|(path, _)| path.clone()).collect();
        for path in imported {
            self.visit(&path)?;
        }
        self.open.pop();
        self.order.push(name.into());
        Ok(())
    }
}

fn is_library(name: &str) -> bool {
    name.contains("node_modules/")
}

fn taken_apart(name: &str, source: &str) -> io::Result<Module> {
    let mut module = Module { imports: Vec::new(), exports: Vec::new(), on_demand: Vec::new(), code: String::new() };
    let unknown = |statement: &str| io::Error::other(format!("static/{name}: cannot join the statement: {statement}"));
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let is_list = line.starts_with("import ") || line.starts_with("export {");
        if is_list {
            let mut statement = line.to_owned();
            while !statement.ends_with(';') {
                statement.push_str(lines.next().ok_or_else(|| unknown(&statement))?);
            }
            let (_, names) = statement.split_once('{').ok_or_else(|| unknown(&statement))?;
            let (names, rest) = names.split_once('}').ok_or_else(|| unknown(&statement))?;
            let path = rest.split('"').nth(1).map(|path| resolved(name, path));
            let pairs = names.split(',').map(str::trim).filter(|pair| !pair.is_empty());
            let pairs: Vec<(&str, &str)> = pairs.map(|pair| pair.split_once(" as ").unwrap_or((pair, pair))).collect();
            match (line.starts_with("import "), path) {
                (true, Some(path)) => {
                    let names: Vec<String> = pairs.iter().map(|(theirs, ours)| format!("{theirs}: {ours}")).collect();
                    module.imports.push((path, names.join(", ")));
                }
                (true, None) => return Err(unknown(&statement)),
                (false, Some(path)) => {
                    module
                        .exports
                        .extend(pairs.iter().map(|(theirs, ours)| format!("{ours}: {}.{theirs}", variable(&path))));
                    module.imports.push((path, String::new()));
                }
                (false, None) => module.exports.extend(pairs.iter().map(|(ours, theirs)| format!("{theirs}: {ours}"))),
            }
            continue;
        }
        let mut code = line;
        if let Some(rest) = line.strip_prefix("export ") {
            let kinds = ["async function ", "function ", "class ", "const "];
            let declared = kinds.iter().find_map(|kind| rest.strip_prefix(kind)).ok_or_else(|| unknown(line))?;
            let declared = declared.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
            module
                .exports
                .push(declared.filter(|declared| !declared.is_empty()).ok_or_else(|| unknown(line))?.to_owned());
            code = rest;
        }
        if let Some((_, path)) = code.split_once(ON_DEMAND) {
            let path = path.split('"').next().unwrap_or_default();
            module.on_demand.push(resolved(name, path));
        }
        module.code.push_str(code);
        module.code.push('\n');
    }
    Ok(module)
}

/// Appends modules to a script that will be at the path of `entry`.
fn append(script: &mut String, order: &[String], modules: &BTreeMap<String, Module>, entry: &str, libraries: &Uses) {
    if !libraries.is_empty() {
        line(script, &format!("import * as libraries_ from \"{}\";", relative(entry, &libraries_of(entry))));
    }
    for library in libraries.keys() {
        line(script, &format!("const {} = libraries_;", variable(library)));
    }
    for name in order {
        let Module { imports, exports, on_demand, code } = &modules[name];
        line(script, &format!("const {} = (() => {{", variable(name)));
        for (path, names) in imports.iter().filter(|(_, names)| !names.is_empty()) {
            line(script, &format!("const {{ {names} }} = {};", variable(path)));
        }
        let mut code = code.clone();
        for path in on_demand {
            let old = format!("{ON_DEMAND}{}\"", relative(name, path));
            code = code.replace(&old, &format!("{ON_DEMAND}{}\"", relative(entry, path)));
        }
        line(script, &format!("{code}return {{ {} }};\n}})();", exports.join(", ")));
    }
}

/// Returns the name of the variable for the exports of a module.
fn variable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect::<String>() + "_"
}

/// Returns the path below `static/` of what the module `name` imports as `path`.
pub(crate) fn resolved(name: &str, path: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the path by which a script at `from` imports the one at `to`; both are below `static/`.
pub(crate) fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let common = from.iter().zip(&to).take(from.len() - 1).take_while(|(left, right)| left == right).count();
    let up = "../".repeat(from.len() - 1 - common);
    format!("{}{}", if up.is_empty() { "./" } else { &up }, to[common..].join("/"))
}

/// Returns a script or a style sheet without comments, blanks and long names. If esbuild is not installed, the text stays as it is.
pub(crate) fn minified(root: &Path, text: String, loader: &str) -> io::Result<String> {
    println!("cargo::rerun-if-changed=static/package-lock.json");
    let Some(program) = esbuild(root) else {
        println!("cargo::warning=scripts are not minified; `make` installs esbuild with `npm ci`");
        return Ok(text);
    };
    // The limit of lines keeps them readable in the tools of a browser.
    run(root, &program, &[&format!("--loader={loader}"), "--line-limit=500"], &text)
}

/// Returns what a script uses of libraries, and all that this needs; none if esbuild is not installed.
pub(crate) fn used_parts(root: &Path, libraries: &Uses) -> io::Result<Option<String>> {
    let Some(program) = esbuild(root) else { return Ok(None) };
    let mut text = String::new();
    for (library, names) in libraries {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        line(&mut text, &format!("export {{ {} }} from \"./{library}\";", names.join(", ")));
    }
    run(root, &program, &["--bundle"], &text).map(Some)
}

fn run(root: &Path, program: &Path, options: &[&str], text: &str) -> io::Result<String> {
    let mut command = Command::new(program);
    command
        .args(["--minify", "--charset=utf8", "--format=esm", "--target=es2022", "--legal-comments=none"])
        .args(options);
    let mut process = command.current_dir(root).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    process.stdin.take().expect("it is piped").write_all(text.as_bytes())?;
    let output = process.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other("esbuild has refused a script"));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

/// Returns the program of this machine: npm installs one package for each kind.
fn esbuild(root: &Path) -> Option<std::path::PathBuf> {
    let packages = fs::read_dir(root.join("node_modules/@esbuild")).ok()?;
    let program = |path: std::path::PathBuf| path.join("bin/esbuild").with_extension(env::consts::EXE_EXTENSION);
    packages.flatten().map(|package| program(package.path())).find(|path| path.is_file())
}
