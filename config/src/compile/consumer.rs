//! Consumers: whose key or token opens the gateway.

use std::collections::HashMap;

use penstock_crds::{Budget as BudgetSpec, ConsumerSpec, Reason, Usd, UserFrom as UserFromSpec, UserSource};
use url::Url;

use super::{Output, account, by_age, draft::Draft, names::whole_name, secrets};
use crate::{
    Hash, Kind, ObjectRef, World,
    object::{Budget, ClaimMatch, Consumer, Jwt, Object, UserFrom},
    world::Resource,
};

/// Shorter keys can be guessed.
const MIN_KEY_CHARACTERS: usize = 20;

/// Who has what callers show.
#[derive(Default)]
pub(super) struct Callers {
    keys: HashMap<Hash, ObjectRef>,
    pub(super) accounts: HashMap<String, ObjectRef>,
}

/// Parts of a Consumer that are left out, and why.
pub(super) type Lost = Vec<(Reason, String)>;

/// Judges every Consumer of the gateway and adds the usable ones to the output.
pub(super) fn compile(world: &World, output: &mut Output) {
    let ours = world.consumers.values().filter(|consumer| consumer.spec.gateway == world.settings.gateway);
    let mut consumers: Vec<&Resource<ConsumerSpec>> = ours.map(|consumer| &**consumer).collect();
    consumers.sort_by(|a, b| by_age(&a.meta, &b.meta));
    let mut callers = Callers::default();
    for consumer in consumers {
        let mut draft = Draft::new(&consumer.problems);
        let object = consumer_object(world, consumer, &mut draft, &mut callers);
        let by_user = consumer.spec.budget.as_ref().is_some_and(|budget| budget.user_limit.is_some());
        if by_user && consumer.spec.user_from.type_ == UserSource::Consumer {
            draft.note("spec.budget.userLimit: the Consumer is its own only user; spec.userFrom says who else is one");
        }
        if draft.is_live() {
            output.add(Kind::Consumer, consumer.object_ref(), Object::Consumer(object));
        }
        output.judge(Kind::Consumer, consumer, draft);
    }
    account::finish(world, output);
}

fn consumer_object(
    world: &World,
    consumer: &Resource<ConsumerSpec>,
    draft: &mut Draft,
    callers: &mut Callers,
) -> Consumer {
    let mut lost = Lost::new();
    let jwt = jwt(world, consumer, draft);
    let api_keys = api_keys(world, consumer, draft, callers, &mut lost);
    let service_accounts = account::claim(world, consumer, draft, callers, &mut lost);
    let nothing_left = api_keys.is_empty() && service_accounts.is_none() && consumer.spec.jwt.is_none();
    tell(lost, nothing_left, draft);
    if nothing_left && !draft.is_refused() {
        draft.dead();
    }
    let namespace = &consumer.meta.namespace;
    let models = consumer.spec.models.iter().map(|model| whole_name(world, namespace, model));
    Consumer {
        api_keys,
        models: models.collect(),
        only_namespace: (!world.settings.is_platform(namespace)).then(|| namespace.clone()),
        user_from: user_from(&consumer.spec.user_from),
        jwt,
        service_accounts,
        budget: consumer.spec.budget.as_ref().map(budget),
    }
}

/// Says what was left out: of a Consumer that nobody can be any more, that is why it is refused.
fn tell(lost: Lost, nothing_left: bool, draft: &mut Draft) {
    for (reason, message) in lost {
        match (nothing_left, reason) {
            (true, Reason::CredentialMissing) => {}
            (true, reason) => draft.refuse(reason, message),
            (false, Reason::CallerConflict) => draft.partial(Reason::NameLost, message),
            (false, _) => draft.partial(Reason::CredentialMissing, message),
        }
    }
}

fn budget(spec: &BudgetSpec) -> Budget {
    let user_limit = spec.user_limit.as_ref().map(Usd::picos);
    Budget { limit: spec.limit.picos(), user_limit, period: spec.period }
}

fn user_from(spec: &UserFromSpec) -> UserFrom {
    match (spec.type_, &spec.header, &spec.claim) {
        (UserSource::Header, Some(header), _) => UserFrom::Header(header.to_ascii_lowercase()),
        (UserSource::Claim, _, Some(claim)) => UserFrom::Claim(claim.clone()),
        (UserSource::Body, ..) => UserFrom::Body,
        (UserSource::Consumer | UserSource::Claim | UserSource::Header, ..) => UserFrom::Consumer,
    }
}

/// The tokens of a Consumer. Its form was judged with the spec; what is left is whether the URL may be called.
fn jwt(world: &World, consumer: &Resource<ConsumerSpec>, draft: &mut Draft) -> Option<Jwt> {
    let spec = consumer.spec.jwt.as_ref()?;
    let url = Url::parse(&spec.jwks_url).map_err(|error| format!("\"{}\" is not a URL ({error})", spec.jwks_url));
    let judged = url.and_then(|url| world.settings.outbound.judge_jwks(&url).map(|()| url));
    let url = match judged {
        Ok(url) => url,
        Err(what) => {
            if !draft.is_refused() {
                draft.refuse(Reason::Invalid, format!("spec.jwt.jwksURL: {what}"));
            }
            return None;
        }
    };
    let claims = spec.claims.iter().map(|claim| ClaimMatch { name: claim.name.clone(), values: claim.values.clone() });
    Some(Jwt {
        issuer: spec.issuer.clone(),
        audiences: spec.audiences.clone(),
        jwks_url: url.into(),
        claims: claims.collect(),
        created: consumer.meta.created,
    })
}

/// Digests of the keys that are this Consumer's alone. A key that an older one has stays with that one.
fn api_keys(
    world: &World,
    consumer: &Resource<ConsumerSpec>,
    draft: &mut Draft,
    callers: &mut Callers,
    lost: &mut Lost,
) -> Vec<Hash> {
    let mut keys: Vec<Hash> = Vec::new();
    for (index, key) in consumer.spec.api_keys.iter().enumerate() {
        let field = format!("spec.apiKeys[{index}].secretRef");
        let reference = &key.secret_ref;
        let value = match secrets::look_up(world, &consumer.meta.namespace, reference).value {
            Ok(value) => value,
            Err((reason, message)) => {
                lost.push((Reason::CredentialMissing, format!("{field}: {message}")));
                draft.unresolved(reason, format!("{field}: {message}"));
                continue;
            }
        };
        let length = value.expose().len();
        if length < MIN_KEY_CHARACTERS {
            let message = format!(
                "{field}: key \"{}\" of Secret {} has {length} characters; use at least {MIN_KEY_CHARACTERS}",
                reference.key, reference.name
            );
            lost.push((Reason::Invalid, message));
            continue;
        }
        let digest = value.digest();
        let owner = callers.keys.entry(digest).or_insert_with(|| consumer.object_ref());
        if *owner != consumer.object_ref() {
            let message = format!("{field}: the same key belongs to Consumer {owner}; use another");
            lost.push((Reason::CallerConflict, message));
        } else if !keys.contains(&digest) {
            keys.push(digest);
        }
    }
    keys
}
