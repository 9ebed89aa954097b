//! What is found and not edited, and why: a closed list of words, so that reports, annotations and
//! exit codes can rely on them.

use std::fmt;

/// A reference, or something that looks like one, that is not edited.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Left {
    /// Its line, from 1.
    pub line: usize,
    /// What stands there; never more than a line.
    pub text: String,
    /// Why it stays.
    pub reason: Reason,
}

/// Why something stays as it is. The words of `domain::rewrite::Reason` stand beside these, for
/// what a rule decides; none of them means two things.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// The text of a template, which is no YAML until somebody renders it.
    HelmTemplate,
    /// Several environments read the file, and each has a registry of its own.
    NeedsEnvironment,
    /// The environment's admission policies do not select the pods.
    NotSelected,
    /// The environment's admission policies select pods by what the file does not say.
    SelectionUnknown,
    /// A Dockerfile's argument without a default.
    NoDefault,
    /// The file, or one document of it, does not read.
    NotYaml,
    /// The file is not UTF-8.
    NotUtf8,
    /// The file is no text.
    Binary,
    /// The file is larger than any that people write.
    TooLarge,
    /// No field that is known to name an image.
    UnknownField,
    /// A field whose operator compares images before it acts on them.
    OperatorCompares,
    /// A part of it is a variable's.
    Variable,
    /// Text within a text: a script, an argument, a document in a string.
    Embedded,
    /// Commented out.
    Comment,
    /// Source text of a language that is reported and never edited.
    SourceText,
    /// An anchor that other fields than images refer to as well.
    AnchorShared,
    /// It is put together with a part that stays.
    PartShared,
    /// The registry may be said elsewhere: a chart's default, another values file.
    RegistryElsewhere,
    /// A registry for all images of a chart, not known to be put before this one.
    GlobalRegistry,
    /// A kustomization overrides the image of this name.
    Overridden,
    /// What an override is for, beside what it is called instead.
    OverrideName,
    /// It is written so that no edit of a few bytes could change it.
    NotEditable,
    /// It is no image reference.
    NotAReference,
}

impl Reason {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 23] = [
        Self::HelmTemplate,
        Self::NeedsEnvironment,
        Self::NotSelected,
        Self::SelectionUnknown,
        Self::NoDefault,
        Self::NotYaml,
        Self::NotUtf8,
        Self::Binary,
        Self::TooLarge,
        Self::UnknownField,
        Self::OperatorCompares,
        Self::Variable,
        Self::Embedded,
        Self::Comment,
        Self::SourceText,
        Self::AnchorShared,
        Self::PartShared,
        Self::RegistryElsewhere,
        Self::GlobalRegistry,
        Self::Overridden,
        Self::OverrideName,
        Self::NotEditable,
        Self::NotAReference,
    ];

    /// The word, as it stands in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HelmTemplate => "HelmTemplate",
            Self::NeedsEnvironment => "NeedsEnvironment",
            Self::NotSelected => "NotSelected",
            Self::SelectionUnknown => "SelectionUnknown",
            Self::NoDefault => "NoDefault",
            Self::NotYaml => "NotYaml",
            Self::NotUtf8 => "NotUtf8",
            Self::Binary => "Binary",
            Self::TooLarge => "TooLarge",
            Self::UnknownField => "UnknownField",
            Self::OperatorCompares => "OperatorCompares",
            Self::Variable => "Variable",
            Self::Embedded => "Embedded",
            Self::Comment => "Comment",
            Self::SourceText => "SourceText",
            Self::AnchorShared => "AnchorShared",
            Self::PartShared => "PartShared",
            Self::RegistryElsewhere => "RegistryElsewhere",
            Self::GlobalRegistry => "GlobalRegistry",
            Self::Overridden => "Overridden",
            Self::OverrideName => "OverrideName",
            Self::NotEditable => "NotEditable",
            Self::NotAReference => "NotAReference",
        }
    }

    /// One sentence for the person who asks why.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::HelmTemplate => {
                "a template is no YAML until it is rendered: change the values that it reads"
            }
            Self::NeedsEnvironment => {
                "several environments read this file: override the image in each overlay, or in \
                 values of each environment"
            }
            Self::NotSelected => {
                "the selectors of the admission policy leave these pods out, so admission leaves \
                 them alone as well"
            }
            Self::SelectionUnknown => {
                "the admission policy selects pods by namespaces or labels, and this file does not \
                 say them: give --namespace, or write them here"
            }
            Self::NoDefault => "the argument has no default here: the build gives it",
            Self::NotYaml => "this does not read as YAML",
            Self::NotUtf8 => "the file is not UTF-8",
            Self::Binary => "the file is no text",
            Self::TooLarge => "the file is too large to be one that people edit",
            Self::UnknownField => {
                "no field that is known to name an image: change it by hand if it does"
            }
            Self::OperatorCompares => {
                "the operator of this object compares images, and may restart what it runs"
            }
            Self::Variable => "a part of it is a variable's: change where that is set",
            Self::Embedded => "text within a text: change it by hand",
            Self::Comment => "it is commented out",
            Self::SourceText => "source text is reported, not edited",
            Self::AnchorShared => "its anchor is also referred to where no image is named",
            Self::PartShared => {
                "a part of its name belongs to other images too, and not all of them move there"
            }
            Self::RegistryElsewhere => {
                "its registry may be said elsewhere, in the chart or in other values: write the \
                 registry here as well"
            }
            Self::GlobalRegistry => {
                "a registry for all images of the chart: set it once all of them are in it"
            }
            Self::Overridden => {
                "a kustomization overrides the image of this name: its override is what changes, \
                 and would no longer find it under another name"
            }
            Self::OverrideName => {
                "it says which images the override is for: what they are called instead is beside it"
            }
            Self::NotEditable => "it is written so that it cannot be changed in place",
            Self::NotAReference => "this is no image reference, so no runtime could pull it",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
