//! The pages for readers: links lead somewhere, and the README and the crate's front page lead to all of them.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages_in(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    let pages = entries.map(|entry| Path::new(directory).join(entry.unwrap().file_name()));
    pages
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

fn text(page: &Path) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// What stands in parentheses behind brackets.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')').map(|(link, _)| link))
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    let mut pages = pages_in(".");
    for directory in ["docs", "core", "examples", "benches"] {
        pages.extend(pages_in(directory));
    }
    let mut followed = 0;
    for page in pages {
        let text = text(&page);
        for link in links(&text).filter(|link| !link.contains("://")) {
            let file = link.split('#').next().unwrap();
            let target = root().join(&page).parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link}", page.display());
            followed += 1;
        }
    }
    assert!(followed > 30, "{followed} links");
}

#[test]
fn the_front_pages_lead_to_all_pages() {
    let readme = text(Path::new("README.md"));
    let front = text(Path::new("src/lib.rs"));
    for page in pages_in("docs") {
        let page = page.display();
        assert!(readme.contains(&format!("({page})")), "README.md: {page}");
        let link = format!("/blob/main/{page}");
        assert!(front.contains(&link), "src/lib.rs: {page}");
    }
    for page in [
        "DEVELOPERS.md",
        "CHANGELOG.md",
        "core/PROTOCOL.md",
        "examples/README.md",
    ] {
        assert!(readme.contains(&format!("({page})")), "README.md: {page}");
    }
}
