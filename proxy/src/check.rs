//! `check`: the operator's verdicts on a folder, offline.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use penstock_config::{Finding, Key, Verdict, Verdicts, compile};
use penstock_crds::ConditionType;
use serde::{Serialize, Serializer};

use crate::{
    cli::{Check, Output},
    source::{
        folder::{self, Complaint, Contents, Place},
        models::{self, Unusable},
    },
};

/// What is printed.
#[derive(Serialize)]
struct Report {
    /// All is taken; false: something is refused.
    accepted: bool,
    objects: Vec<Judged>,
    /// Documents that never became an object.
    problems: Vec<Complaint>,
}

#[derive(Serialize)]
struct Judged {
    #[serde(flatten)]
    key: Key,
    #[serde(flatten)]
    place: Place,
    /// It serves, whole or in part.
    live: bool,
    #[serde(serialize_with = "as_conditions")]
    conditions: Vec<Finding>,
}

/// A finding as conditions are written.
#[derive(Serialize)]
struct Condition<'a> {
    r#type: &'static str,
    status: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

/// 0 when everything is accepted, 1 when something is refused.
pub(crate) fn run(check: &Check) -> anyhow::Result<ExitCode> {
    let settings = check.installation.folder_settings();
    let contents = folder::read(&check.resources, settings, folder::environment)
        .with_context(|| format!("can't read {}", check.resources.display()))?;
    let (_, verdicts) = compile(&contents.world);
    let mut report = Report::new(contents, &verdicts);
    report.model_facts(check.own.model_facts.as_deref())?;
    let mut stdout = io::stdout().lock();
    match check.output {
        Output::Text => write!(stdout, "{report}")?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut stdout, &report)?;
            writeln!(stdout)?;
        }
    }
    Ok(if report.accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Report {
    fn new(contents: Contents, verdicts: &Verdicts) -> Self {
        let judge = |(key, verdict): (&Key, &Verdict)| Judged {
            key: key.clone(),
            place: contents.place(key),
            live: verdict.live,
            conditions: verdict.findings.clone(),
        };
        let objects: Vec<Judged> = verdicts.iter().map(judge).collect();
        Self {
            accepted: contents.problems.is_empty() && !objects.iter().any(Judged::is_refused),
            objects,
            problems: contents.problems,
        }
    }
}

impl Report {
    /// Judges users' own prices and facts too.
    fn model_facts(&mut self, file: Option<&Path>) -> anyhow::Result<()> {
        let Some(file) = file else { return Ok(()) };
        let problems = match models::read(file) {
            Ok(_) => return Ok(()),
            Err(Unusable::Malformed(problems)) => problems,
            Err(error @ Unusable::Unreadable(_)) => {
                return Err(error).with_context(|| format!("--model-facts {}", file.display()));
            }
        };
        self.accepted = false;
        self.problems.extend(problems.into_iter().map(|problem| Complaint {
            place: Place { file: file.display().to_string(), line: problem.line },
            object: "model facts".to_owned(),
            condition: None,
            message: problem.error.to_string(),
        }));
        Ok(())
    }
}

impl Judged {
    /// Refused in itself, or left with nothing to serve by.
    fn is_refused(&self) -> bool {
        let refused = |finding: &Finding| finding.condition == ConditionType::Accepted && !finding.status;
        !self.live || self.conditions.iter().any(refused)
    }
}

impl<'a> From<&'a Finding> for Condition<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            r#type: finding.condition.as_str(),
            status: if finding.status { "True" } else { "False" },
            reason: finding.reason.as_str(),
            message: &finding.message,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for object in &self.objects {
            writeln!(f, "{} {}  ({})", object.key.kind, object.key.object, object.place)?;
            for finding in &object.conditions {
                let Condition { r#type, status, reason, message } = finding.into();
                writeln!(f, "{}", format!("  {type:<17}{status:<6} {reason:<18} {message}").trim_end())?;
            }
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        let refused = self.objects.iter().filter(|object| object.is_refused()).count() + self.problems.len();
        let documents = self.objects.len() + self.problems.len();
        writeln!(f, "{} of {documents} accepted", documents - refused)
    }
}

fn as_conditions<S: Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(findings.iter().map(Condition::from))
}
