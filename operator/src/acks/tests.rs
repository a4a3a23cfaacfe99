use penstock_config::{Kind, Verdict, protocol::Refused};

use super::*;
use crate::pods::Pod;

fn key(name: &str) -> Key {
    Key::new(Kind::RoutePolicy, ObjectRef::new("ns", name))
}

fn verdicts(forms: &[(&str, &str)]) -> Verdicts {
    let verdict = |form: &str| Verdict {
        findings: vec![],
        live: true,
        form: Hash::of(form.as_bytes()),
        credentials: vec![],
        made: vec![],
    };
    forms.iter().map(|(name, form)| (key(name), verdict(form))).collect()
}

fn process(pod: &str, boot: &str) -> Process {
    Process { pod: pod.to_owned(), boot: boot.to_owned() }
}

fn ack(epoch: u64, sequence: u64, refused: &[(&str, &str)]) -> Ack {
    let refused = refused.iter().map(|&(name, reason)| Refused { key: key(name), reason: reason.to_owned() });
    Ack {
        session: String::new(),
        position: Position { epoch, sequence },
        hash: hash(sequence),
        undecodable: None,
        refused: refused.collect(),
        reports: vec![],
    }
}

fn hash(sequence: u64) -> Hash {
    Hash::of(&sequence.to_be_bytes())
}

/// A book with ready pods, and every form in its first sequence.
struct Case {
    book: Book,
    pods: Pods,
    connected: BTreeSet<Uid>,
    now: Instant,
}

impl Case {
    fn new(pods: &[&str]) -> Self {
        let now = Instant::now();
        let mut case = Case { book: Book::new(1, now), pods: Pods::new(), connected: BTreeSet::new(), now };
        for pod in pods {
            case.join(pod, true);
        }
        case.book.compiled(&verdicts(&[("a", "a1"), ("b", "b1")]), 1, hash(1));
        case
    }

    fn join(&mut self, pod: &str, ready: bool) {
        let joined = Pod { name: format!("proxy-{pod}"), ready, leaving: false };
        self.pods.insert(pod.to_owned(), joined);
        self.connected.insert(pod.to_owned());
        self.book.connected(&[process(pod, "1")].into());
    }

    fn ack(&mut self, pod: &str, sequence: u64, refused: &[(&str, &str)]) {
        self.book.acked(&process(pod, "1"), ack(1, sequence, refused));
        self.look();
    }

    fn look(&mut self) {
        self.book.look(&self.pods, &self.connected, self.now);
    }

    fn leave(&mut self, pod: &str) {
        self.pods.remove(pod);
        self.connected.remove(pod);
        self.look();
    }

    fn view(&self) -> View<'_> {
        self.book.view(&self.pods, &self.connected)
    }

    fn programmed(&self, name: &str) -> Programmed {
        self.view().programmed(&key(name))
    }
}

fn pending(names: &[&str], of: usize) -> Programmed {
    Programmed::Pending { missing: names.iter().map(|&name| name.to_owned()).collect(), of }
}

#[test]
fn an_object_is_programmed_once_every_expected_pod_acked_its_present_form() {
    let mut case = Case::new(&["x", "y"]);
    case.ack("x", 1, &[]);
    assert_eq!(case.programmed("a"), Programmed::Unknown, "y was not heard of yet");
    case.ack("y", 1, &[]);
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 2 });
    case.book.compiled(&verdicts(&[("a", "a2"), ("b", "b1")]), 2, hash(2));
    case.ack("x", 2, &[]);
    assert_eq!(case.programmed("a"), pending(&["proxy-y"], 2));
    assert_eq!(case.programmed("b"), Programmed::Yes { pods: 2 }, "its form is the old one");
    case.ack("y", 2, &[]);
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 2 });
}

#[test]
fn a_form_that_comes_back_is_waited_for_again() {
    let mut case = Case::new(&["x"]);
    case.ack("x", 1, &[]);
    case.book.compiled(&verdicts(&[("a", "a2"), ("b", "b1")]), 2, hash(2));
    case.book.compiled(&verdicts(&[("a", "a1"), ("b", "b1")]), 3, hash(3));
    case.look();
    assert_eq!(case.programmed("a"), pending(&["proxy-x"], 1));
    case.ack("x", 3, &[]);
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 1 });
}

#[test]
fn a_refusal_concerns_its_object_alone_and_ends_with_an_ack_that_no_longer_names_it() {
    let mut case = Case::new(&["x", "y"]);
    case.ack("x", 1, &[]);
    case.ack("y", 1, &[("a", "unknown variant")]);
    let by = vec![("proxy-y".to_owned(), "unknown variant".to_owned())];
    assert_eq!(case.programmed("a"), Programmed::Refused { by, of: 2 });
    assert_eq!(case.programmed("b"), Programmed::Yes { pods: 2 });
    case.book.compiled(&verdicts(&[("a", "a2"), ("b", "b1")]), 2, hash(2));
    assert_eq!(case.programmed("a"), pending(&["proxy-x", "proxy-y"], 2), "the refusal was of the old form");
    case.ack("x", 2, &[]);
    case.ack("y", 2, &[]);
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 2 });
}

#[test]
fn what_is_in_no_api_server_and_refused_is_said_of_whoever_it_is_made_for_unless_they_are_refused_themselves() {
    let mut case = Case::new(&["x"]);
    let model = Key::new(Kind::Model, ObjectRef::new("", "mini"));
    let mut verdicts = verdicts(&[("a", "a1"), ("b", "b1"), ("c", "c1")]);
    for name in ["a", "b"] {
        verdicts.get_mut(&key(name)).expect("must be there").made.push(model.clone());
    }
    let cluster = Key::new(Kind::Cluster, ObjectRef::new("", "issuer"));
    verdicts.get_mut(&key("c")).expect("must be there").made.push(cluster.clone());
    case.book.compiled(&verdicts, 2, hash(2));
    let mut answer = ack(1, 2, &[("a", "bad URL")]);
    answer.refused.insert(0, Refused { key: model, reason: "unknown field".to_owned() });
    answer.refused.push(Refused { key: cluster, reason: "no keys".to_owned() });
    case.book.acked(&process("x", "1"), answer);
    case.look();
    let refused = |why: &str| Programmed::Refused { by: vec![("proxy-x".to_owned(), why.to_owned())], of: 1 };
    assert_eq!(case.programmed("a"), refused("bad URL"));
    assert_eq!(case.programmed("b"), refused("model mini: unknown field"));
    assert_eq!(case.programmed("c"), refused("the keys of the cluster's tokens: no keys"));
    case.ack("x", 2, &[]);
    assert_eq!(case.programmed("b"), Programmed::Yes { pods: 1 });
}

#[test]
fn a_pod_that_joins_does_not_take_back_what_was_programmed_but_is_waited_for_with_the_next_form() {
    let mut case = Case::new(&["x"]);
    case.ack("x", 1, &[]);
    case.join("y", false);
    case.look();
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 2 });
    case.book.compiled(&verdicts(&[("a", "a2"), ("b", "b1")]), 2, hash(2));
    case.ack("x", 2, &[]);
    assert_eq!(case.programmed("a"), pending(&["proxy-y"], 2));
    case.ack("y", 2, &[]);
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 2 });
}

#[test]
fn a_pod_that_leaves_is_not_waited_for() {
    let mut case = Case::new(&["x", "y"]);
    case.ack("x", 1, &[]);
    case.pods.get_mut("y").expect("must be there").leaving = true;
    case.look();
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 1 });
    case.pods.clear();
    case.look();
    assert_eq!(case.programmed("a"), Programmed::NoProxies);
}

#[test]
fn a_new_leader_does_not_know_until_everybody_is_back_or_its_patience_ends() {
    let mut case = Case::new(&["x"]);
    case.look();
    assert_eq!(case.programmed("a"), Programmed::Unknown);
    assert_eq!(case.book.patience_ends(), Some(case.now + PATIENCE));
    case.now += PATIENCE;
    case.look();
    assert_eq!(case.programmed("a"), pending(&["proxy-x"], 1));
    assert_eq!(case.book.patience_ends(), None);
}

#[test]
fn an_ack_of_an_older_boot_or_epoch_or_sequence_does_not_count() {
    let mut case = Case::new(&["x"]);
    case.ack("x", 1, &[]);
    case.book.compiled(&verdicts(&[("a", "a2"), ("b", "b1")]), 2, hash(2));
    case.ack("x", 2, &[]);
    case.ack("x", 1, &[("a", "late")]);
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 1 });
    case.book.compiled(&verdicts(&[("a", "a3"), ("b", "b1")]), 3, hash(3));
    case.book.acked(&process("x", "1"), ack(2, 9, &[]));
    case.look();
    assert_eq!(case.programmed("a"), pending(&["proxy-x"], 1), "another epoch");
    case.ack("x", 3, &[]);
    case.book.compiled(&verdicts(&[("a", "a4"), ("b", "b1")]), 4, hash(4));
    case.book.connected(&[process("x", "2")].into());
    case.look();
    assert_eq!(case.programmed("a"), pending(&["proxy-x"], 1));
    assert_eq!(case.programmed("b"), Programmed::Yes { pods: 1 }, "a restarted process joins");
}

#[test]
fn an_answer_of_a_proxy_that_still_runs_something_else_is_heard_and_does_not_count() {
    let mut case = Case::new(&["x"]);
    case.book.acked(&process("x", "1"), Ack { hash: Hash::of(b"older"), ..ack(1, 1, &[]) });
    case.look();
    assert_eq!(case.programmed("a"), pending(&["proxy-x"], 1));
}

#[test]
fn a_document_that_did_not_decode_is_a_refusal_of_everything_new_in_it() {
    let mut case = Case::new(&["x"]);
    case.ack("x", 1, &[]);
    case.book.compiled(&verdicts(&[("a", "a2"), ("b", "b1")]), 2, hash(2));
    let undecodable = Ack { undecodable: Some("not JSON".to_owned()), ..ack(1, 2, &[]) };
    case.book.acked(&process("x", "1"), undecodable);
    case.look();
    let by = vec![("proxy-x".to_owned(), "not JSON".to_owned())];
    assert_eq!(case.programmed("a"), Programmed::Refused { by, of: 1 });
    assert_eq!(case.programmed("b"), Programmed::Yes { pods: 1 });
    case.book.compiled(&verdicts(&[("a", "a3"), ("b", "b1")]), 3, hash(3));
    case.ack("x", 3, &[]);
    assert_eq!(case.programmed("a"), Programmed::Yes { pods: 1 });
}

#[test]
fn a_rejected_key_is_known_until_its_proxy_reports_otherwise() {
    let mut case = Case::new(&["x"]);
    let provider = ObjectRef::new("ns", "openai");
    let report = Report::CredentialRejected {
        provider: provider.clone(),
        secret: "openai".to_owned(),
        key: "api-key".to_owned(),
    };
    case.book.acked(&process("x", "1"), Ack { reports: vec![report], ..ack(1, 1, &[]) });
    let rejected = case.view().troubles()[&provider].rejected.clone();
    assert_eq!(rejected, [("openai".to_owned(), "api-key".to_owned())].into());
    case.ack("x", 1, &[]);
    assert!(case.view().troubles().is_empty());
}

#[test]
fn trouble_is_counted_by_expected_pods_and_gathers_their_models() {
    let mut case = Case::new(&["x", "y", "z"]);
    let provider = ObjectRef::new("ns", "openai");
    let failing = |model: &str| Report::Failing { provider: provider.clone(), model: model.to_owned() };
    let cooling_down = Report::CoolingDown { provider: provider.clone(), model: "m1".to_owned() };
    let both = vec![failing("m1"), failing("m2"), cooling_down];
    case.book.acked(&process("x", "1"), Ack { reports: both, ..ack(1, 1, &[]) });
    case.book.acked(&process("y", "1"), Ack { reports: vec![failing("m3")], ..ack(1, 1, &[]) });
    let troubles = case.view().troubles()[&provider].clone();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let (models, pods) = (names(&["m1", "m2", "m3"]), names(&["proxy-x", "proxy-y"]));
    assert_eq!(troubles.failing, Trouble { models, pods, of: 3 });
    assert_eq!(troubles.cooling_down, Trouble { models: names(&["m1"]), pods: names(&["proxy-x"]), of: 3 });
    case.leave("x");
    let troubles = case.view().troubles()[&provider].clone();
    assert_eq!(troubles.failing, Trouble { models: names(&["m3"]), pods: names(&["proxy-y"]), of: 2 });
    assert_eq!(troubles.cooling_down, Trouble::default());
}

#[test]
fn prices_are_missing_that_any_proxy_lacks() {
    let mut case = Case::new(&["x", "y"]);
    let provider = ObjectRef::new("ns", "openai");
    let missing = |models: &[&str], of| {
        let models = models.iter().map(|name| (*name).to_owned()).collect();
        vec![Report::PriceMissing { provider: provider.clone(), models, of }]
    };
    case.book.acked(&process("x", "1"), Ack { reports: missing(&["m1"], 1), ..ack(1, 1, &[]) });
    case.book.acked(&process("y", "1"), Ack { reports: missing(&["m1", "m2"], 9), ..ack(1, 1, &[]) });
    let troubles = case.view().troubles()[&provider].clone();
    assert_eq!(troubles.unpriced, Unpriced { models: ["m1".to_owned(), "m2".to_owned()].into(), of: 9 });
    assert!(!troubles.is_unwell());
    case.ack("x", 1, &[]);
    case.ack("y", 1, &[]);
    assert!(case.view().troubles().is_empty());
}

#[test]
fn the_store_of_limits_is_as_good_as_the_proxies_say() {
    let mut case = Case::new(&["x", "y"]);
    let report = |is_up: Option<bool>| is_up.map(|is_up| Report::LimitStore { is_up }).into_iter().collect();
    for (x, y, is_used, without) in [
        (None, None, false, vec!["proxy-x", "proxy-y"]),
        (Some(true), Some(true), true, vec![]),
        (Some(true), Some(false), true, vec!["proxy-y"]),
        (Some(true), None, true, vec!["proxy-y"]),
    ] {
        case.book.acked(&process("x", "1"), Ack { reports: report(x), ..ack(1, 1, &[]) });
        case.book.acked(&process("y", "1"), Ack { reports: report(y), ..ack(1, 1, &[]) });
        let without = without.into_iter().map(str::to_owned).collect();
        assert_eq!(case.view().limit_store(), LimitStore { is_used, without, of: 2 }, "{x:?} {y:?}");
    }
}

#[test]
fn the_proxy_that_knows_most_of_a_budget_is_believed_and_a_new_period_is_another() {
    let mut case = Case::new(&["x", "y"]);
    let consumer = ObjectRef::new("ns", "search");
    let spent = |percent, until: &str| {
        vec![Report::BudgetSpent { consumer: consumer.clone(), percent, until: until.to_owned() }]
    };
    case.book.acked(&process("x", "1"), Ack { reports: spent(80, "2026-12-01"), ..ack(1, 1, &[]) });
    case.book.acked(&process("y", "1"), Ack { reports: spent(50, "2026-12-01"), ..ack(1, 1, &[]) });
    assert_eq!(case.view().budgets(), [(&consumer, ("2026-12-01", 80))].into());
    case.book.acked(&process("y", "1"), Ack { reports: spent(50, "2027-01-01"), ..ack(1, 1, &[]) });
    assert_eq!(case.view().budgets(), [(&consumer, ("2027-01-01", 50))].into());
}
