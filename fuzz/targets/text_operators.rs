//! Any bytes as a text and as a URL: what changes texts gives texts, what judges has a verdict.

use nexus_text::{
    Filter, Formatter, FtfyFormatter, LanguageFilter, LineDedup, NGramsDecontConfig,
    NGramsDecontFilter, Parts, PiiFormatter, Profiler, PublicSuffixes, TextNorm, UnicodeForm,
    UnicodeFormatter, Unit, UrlFilter, UrlRules,
};

/// Changes and judges `data` with all operators.
///
/// # Panics
/// When the parts of a text are not the text, or a text still has what was removed.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for unit in [Unit::Line, Unit::Paragraph] {
        let parts = Parts {
            unit,
            ..Parts::default()
        };
        assert_eq!(parts.split(&text).collect::<String>(), text);
        assert_eq!(parts.retain(&text, |_| true), text);
        let rest = LineDedup { parts }.apply(&text).into_owned();
        assert_eq!(LineDedup { parts }.apply(&rest), rest);
    }
    let unicode = UnicodeFormatter {
        form: Some(UnicodeForm::Nfkc),
        remove_zero_width: true,
        remove_soft_hyphens: true,
        ..UnicodeFormatter::default()
    };
    assert!(
        !unicode
            .apply(&text)
            .contains(['\0', '\u{AD}', '\u{200B}', '\u{FEFF}'])
    );
    let repair = FtfyFormatter {
        fix_latin_ligatures: true,
        fix_character_width: true,
        uncurl_quotes: true,
        fix_line_breaks: true,
        ..FtfyFormatter::default()
    };
    let _ = FtfyFormatter::default().apply(&text);
    assert!(!repair.apply(&text).contains(['\r', '\0', '\u{FEFF}']));
    let _ = PiiFormatter::default().apply(&text);
    let _ = TextNorm::default().apply(&text);
    if let Some(domain) = PublicSuffixes::default().domain(&text) {
        assert!(domain.full().ends_with(domain.registered()));
    }
    let urls = UrlFilter::new(UrlRules {
        extra_domains: vec!["example.com".into()],
        banned_subwords: vec!["ab".into(), "a".into()],
        ..UrlRules::default()
    });
    let mut runs = NGramsDecontFilter::new(NGramsDecontConfig {
        n_grams: 2,
        ..NGramsDecontConfig::default()
    });
    runs.add("task", Some("a b"), "c d")
        .expect("the text is small");
    let mut profiler = Profiler::new();
    let mut profile = profiler.profile(&text).expect("the text is small");
    profile.set_url(Some(&text));
    let _ = urls.judge(&mut profile);
    let _ = LanguageFilter::default().judge(&mut profile);
    assert_eq!(
        runs.judge(&mut profile).is_kept(),
        runs.find(&mut profile).is_none()
    );
}
