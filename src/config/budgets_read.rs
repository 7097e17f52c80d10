use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::budgets::{Budget, BudgetSettings, OnBreach};
use super::reader::Reader;
use super::settings::is_tenant_name;
use crate::domain::{Scope, ScopeKind, nearest};

/// The name of the table for each tenant without one of its own.
const EACH: &str = "*";

/// What `tollgate.toml` configures elsewhere, by name.
pub(super) struct Configured {
    pub(super) providers: BTreeSet<String>,
    pub(super) routes: BTreeSet<String>,
}

/// Reads `[budgets]`.
pub(super) fn read_budgets(budgets: Reader<'_>, configured: &Configured) -> BudgetSettings {
    let mut each_tenant = None;
    let mut by_scope = BTreeMap::new();
    if let Some(total) = budgets.table(ScopeKind::Total.as_str()) {
        by_scope.insert(Scope::TOTAL, read_budget(total, ScopeKind::Total, configured));
    }
    for kind in ScopeKind::ALL.into_iter().filter(|kind| *kind != ScopeKind::Total) {
        for (name, table) in budgets.tables(kind.as_str()) {
            if kind == ScopeKind::Tenant && name == EACH {
                each_tenant = Some(read_budget(table, kind, configured));
                continue;
            }
            check_name(&table, kind, &name, configured);
            by_scope.insert(Scope::new(kind, name), read_budget(table, kind, configured));
        }
    }
    budgets.finish();
    BudgetSettings { by_scope, each_tenant }
}

/// Refuses a name that nothing can ever have: its cap would never hold.
fn check_name(table: &Reader<'_>, kind: ScopeKind, name: &str, configured: &Configured) {
    if name == EACH {
        table.refuse("only tenants have a budget for each of them", Some("name the one that this is for".into()));
        return;
    }
    match kind {
        ScopeKind::Tenant if !is_tenant_name(name) => {
            let hint = "use letters, digits, `-` and `_`, at most 64; \"*\" is each tenant without a table of its own";
            table.refuse(format!("`{name}` is no tenant's name"), Some(hint.into()));
        }
        ScopeKind::Model => match configured.check_model(name) {
            Ok(()) => {}
            Err((problem, hint)) => table.refuse(problem, hint),
        },
        ScopeKind::Provider => match configured.check_provider(name) {
            Ok(()) => {}
            Err((problem, hint)) => table.refuse(problem, hint),
        },
        _ if name.trim() != name || name.is_empty() || name.contains(char::is_control) => {
            table.refuse(format!("`{name}` is no {}'s name", kind.as_str()), None);
        }
        _ => {}
    }
}

fn read_budget(table: Reader<'_>, kind: ScopeKind, configured: &Configured) -> Budget {
    let budget = Budget {
        day: table.dollars("day_usd"),
        month: table.dollars("month_usd"),
        lifetime: table.dollars("lifetime_usd"),
        alert_day: table.dollars("alert_day_usd"),
        soft_percent: read_percents(&table),
        time_zone: read_time_zone(&table).unwrap_or(TimeZone::UTC),
        on_breach: read_on_breach(&table, kind, configured),
    };
    table.finish();
    budget
}

/// Reads `soft_percent`, ascending and each once.
pub(super) fn read_percents(table: &Reader<'_>) -> Option<Vec<u32>> {
    let percents = table.integers("soft_percent", 1..=1_000)?;
    let once: BTreeSet<u32> = percents.into_iter().map(|percent| percent as u32).collect();
    Some(once.into_iter().collect())
}

fn read_time_zone(table: &Reader<'_>) -> Option<TimeZone> {
    let name = table.text("time_zone")?;
    let found = TimeZone::get(&name).ok().filter(|zone| !zone.is_unknown());
    if found.is_none() {
        let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
        let known = || known.iter().map(String::as_str);
        let is_city = |zone: &&str| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&name));
        let hint = match nearest(&name, known()).or_else(|| known().find(is_city)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a name of the IANA time zone database, such as Europe/Berlin".to_owned(),
        };
        table.reject("time_zone", format!("there is no time zone `{name}`"), Some(hint));
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Breach {
    Refuse,
    Template,
    Model,
}

impl Breach {
    const CHOICES: &[(&'static str, Self)] =
        &[("refuse", Self::Refuse), ("template", Self::Template), ("model", Self::Model)];
}

fn read_on_breach(table: &Reader<'_>, kind: ScopeKind, configured: &Configured) -> OnBreach {
    if kind != ScopeKind::Tenant {
        for key in ["on_breach", "template", "fallback_model"] {
            if table.has(key) {
                let hint = "put it into [budgets.tenant.NAME], or [budgets.tenant.\"*\"] for every tenant";
                table.reject(key, "only tenants have it", Some(hint.into()));
            }
        }
        return OnBreach::Refuse;
    }
    let breach = if table.has("on_breach") { table.choice("on_breach", Breach::CHOICES) } else { Some(Breach::Refuse) };
    let (template, model) = (table.text("template"), table.text("fallback_model"));
    let needs = [
        ("template", Breach::Template, "template", "write the text that the caller gets instead of an answer"),
        ("fallback_model", Breach::Model, "model", "name the model or route that answers instead"),
    ];
    for (key, needed_by, word, hint) in needs {
        match breach {
            Some(breach) if breach == needed_by => table.require(key, hint),
            Some(_) if table.has(key) => {
                let hint = format!("write on_breach = \"{word}\" if that is what is meant");
                table.reject(key, format!("is used with on_breach = \"{word}\" only"), Some(hint));
            }
            _ => {}
        }
    }
    if template.as_ref().is_some_and(|text| text.trim().is_empty()) {
        table.reject("template", "is empty", Some("write the text that the caller gets instead of an answer".into()));
    }
    if let Some(Err((problem, hint))) = model.as_deref().map(|model| configured.check_model_or_route(model)) {
        table.reject("fallback_model", problem, hint);
    }
    match (breach, template, model) {
        (Some(Breach::Template), Some(text), _) => OnBreach::Template(text),
        (Some(Breach::Model), _, Some(model)) => OnBreach::Model(model),
        _ => OnBreach::Refuse,
    }
}

/// What is wrong, and the next step where there is one.
type Wrong = (String, Option<String>);

impl Configured {
    fn check_provider(&self, name: &str) -> Result<(), Wrong> {
        if self.providers.contains(name) {
            return Ok(());
        }
        let hint = did_you_mean(name, &self.providers).or_else(|| Some(format!("configure it in [providers.{name}]")));
        Err((format!("no provider `{name}` is configured"), hint))
    }

    fn check_model(&self, model: &str) -> Result<(), Wrong> {
        match model.split_once('/') {
            Some((provider, name)) if !provider.is_empty() && !name.is_empty() => self.check_provider(provider),
            _ => Err((format!("`{model}` does not name a model: write provider/model"), None)),
        }
    }

    fn check_model_or_route(&self, name: &str) -> Result<(), Wrong> {
        if name.contains('/') {
            return self.check_model(name);
        }
        if self.routes.contains(name) {
            return Ok(());
        }
        let hint =
            did_you_mean(name, &self.routes).or_else(|| Some("name a single model as provider/model".to_owned()));
        Err((format!("no route `{name}` is configured"), hint))
    }
}

fn did_you_mean(name: &str, known: &BTreeSet<String>) -> Option<String> {
    nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{load_text, problems};
    use super::*;
    use crate::domain::NanoUsd;

    const PROVIDERS: &str = "[providers.openai]\nkind = \"openai\"\n[providers.extractive]\nkind = \"extractive\"\n\
                             [routes.cheap]\ncandidates = [\"extractive/small\"]\n";

    fn read(budgets: &str) -> BudgetSettings {
        load_text(&format!("{PROVIDERS}{budgets}"), &[]).unwrap().budgets
    }

    fn dollars(dollars: i64) -> NanoUsd {
        NanoUsd(dollars * 1_000_000_000)
    }

    #[test]
    fn every_kind_of_scope_has_its_budget() {
        let budgets = read(
            "[budgets.total]\nmonth_usd = 500\n[budgets.tenant.\"*\"]\nmonth_usd = 20\n\
                            [budgets.tenant.acme]\nday_usd = 0\n[budgets.endpoint.ask]\n\
                            [budgets.model.\"openai/gpt-4.1-mini\"]\nlifetime_usd = 0.000000001\n\
                            [budgets.provider.openai]\n[budgets.task.answer]\n",
        );
        let scopes: Vec<_> = budgets.by_scope.keys().map(ToString::to_string).collect();
        let expected =
            ["total", "tenant:acme", "endpoint:ask", "model:openai/gpt-4.1-mini", "provider:openai", "task:answer"];
        assert_eq!(scopes, expected);
        let of = |scope: &str| budgets.by_scope[&scope.parse().unwrap()].clone();
        assert_eq!(of("total"), Budget { month: Some(dollars(500)), ..Budget::default() });
        assert_eq!(of("tenant:acme"), Budget { day: Some(dollars(0)), ..Budget::default() });
        assert_eq!(of("model:openai/gpt-4.1-mini").lifetime, Some(NanoUsd(1)));
        assert_eq!(of("task:answer"), Budget::default());
        assert_eq!(budgets.each_tenant, Some(Budget { month: Some(dollars(20)), ..Budget::default() }));
        assert_eq!(read(""), BudgetSettings::default());
    }

    #[test]
    fn a_tenant_has_every_key() {
        let budgets = read(
            "[budgets.tenant.acme]\nday_usd = 5\nmonth_usd = 50\nlifetime_usd = 1000\n\
                            alert_day_usd = 4\nsoft_percent = [100, 50, 80, 50]\ntime_zone = \"Europe/Berlin\"\n\
                            on_breach = \"template\"\ntemplate = \"Back tomorrow.\"\n",
        );
        let expected = Budget {
            day: Some(dollars(5)),
            month: Some(dollars(50)),
            lifetime: Some(dollars(1_000)),
            alert_day: Some(dollars(4)),
            soft_percent: Some(vec![50, 80, 100]),
            time_zone: TimeZone::get("Europe/Berlin").unwrap(),
            on_breach: OnBreach::Template("Back tomorrow.".into()),
        };
        assert_eq!(budgets.by_scope[&Scope::new(ScopeKind::Tenant, "acme")], expected);
    }

    #[test]
    fn the_fallback_is_a_model_or_a_route() {
        for model in ["extractive/small", "cheap"] {
            let text = format!("[budgets.tenant.\"*\"]\non_breach = \"model\"\nfallback_model = \"{model}\"\n");
            assert_eq!(read(&text).each_tenant.unwrap().on_breach, OnBreach::Model(model.into()));
        }
    }

    #[test]
    fn the_environment_changes_a_cap() {
        let text = "[budgets.tenant.acme-inc]\nday_usd = 5\n";
        let environment =
            [("TOLLGATE_BUDGETS__TENANT__ACME_INC__DAY_USD", "7"), ("TOLLGATE_BUDGETS__TOTAL__MONTH_USD", "9")];
        let budgets = load_text(text, &environment).unwrap().budgets;
        assert_eq!(budgets.by_scope[&Scope::new(ScopeKind::Tenant, "acme-inc")].day, Some(dollars(7)));
        assert_eq!(budgets.by_scope[&Scope::TOTAL].month, Some(dollars(9)));
    }

    #[test]
    fn names_that_nothing_has_are_refused() {
        let text = "[budgets]\nmonth_usd = 5\n[budgets.tenants.acme]\nday_usd = 1\n[budgets.tenant.\"a b\"]\n\
                    [budgets.model.gpt]\n[budgets.model.\"opnai/gpt\"]\n[budgets.provider.mistral]\n\
                    [budgets.provider.extractve]\n[budgets.task.\"*\"]\n[budgets.endpoint.\" ask\"]\n";
        insta::assert_snapshot!(problems(&format!("{PROVIDERS}{text}"), &[]), @r#"
        8:13 budgets.month_usd: is not a known setting (known here: endpoint, model, provider, task, tenant, total)
        9:10 budgets.tenants: is not a known setting (did you mean `tenant`?)
        11:17 budgets.tenant."a b": `a b` is no tenant's name (use letters, digits, `-` and `_`, at most 64; "*" is each tenant without a table of its own)
        12:16 budgets.model.gpt: `gpt` does not name a model: write provider/model
        13:16 budgets.model."opnai/gpt": no provider `opnai` is configured (did you mean `openai`?)
        14:19 budgets.provider.mistral: no provider `mistral` is configured (configure it in [providers.mistral])
        15:19 budgets.provider.extractve: no provider `extractve` is configured (did you mean `extractive`?)
        16:15 budgets.task."*": only tenants have a budget for each of them (name the one that this is for)
        17:19 budgets.endpoint." ask": ` ask` is no endpoint's name
        "#);
    }

    #[test]
    fn limits_that_cannot_be_are_refused() {
        let text = "[budgets.tenant.acme]\nday_usd = -1\nmonth_usd = \"20\"\nlifetime_usd = 1_000_000_000.5\n\
                    alert_day_usd = nan\nsoft_percent = [50, 0, 80.5]\ntime_zone = \"Europe/Berln\"\n\
                    [budgets.tenant.b]\nweek_usd = 3\nsoft_percent = 1001\ntime_zone = \"berlin\"\n\
                    [budgets.total]\ntime_zone = \"Mars\"\n";
        insta::assert_snapshot!(problems(text, &[]), @r"
        2:11 budgets.tenant.acme.day_usd: must be a number of at least 0
        3:13 budgets.tenant.acme.month_usd: must be a number of at least 0
        4:16 budgets.tenant.acme.lifetime_usd: must be at most 1,000,000,000 dollars
        5:17 budgets.tenant.acme.alert_day_usd: must be a number of at least 0
        6:21 budgets.tenant.acme.soft_percent: must hold only whole numbers from 1 to 1000
        6:24 budgets.tenant.acme.soft_percent: must hold only whole numbers from 1 to 1000
        7:13 budgets.tenant.acme.time_zone: there is no time zone `Europe/Berln` (did you mean `Europe/Berlin`?)
        9:12 budgets.tenant.b.week_usd: is not a known setting (known here: alert_day_usd, day_usd, fallback_model, lifetime_usd, month_usd, on_breach, soft_percent, template, time_zone)
        10:16 budgets.tenant.b.soft_percent: must hold only whole numbers from 1 to 1000
        11:13 budgets.tenant.b.time_zone: there is no time zone `berlin` (did you mean `Europe/Berlin`?)
        13:13 budgets.total.time_zone: there is no time zone `Mars` (write a name of the IANA time zone database, such as Europe/Berlin)
        ");
    }

    #[test]
    fn what_follows_a_breach_has_to_be_whole() {
        let text = "[budgets.tenant.a]\non_breach = \"template\"\n[budgets.tenant.b]\non_breach = \"model\"\n\
                    template = \"x\"\n[budgets.tenant.c]\nfallback_model = \"cheap\"\n\
                    [budgets.tenant.d]\non_breach = \"model\"\nfallback_model = \"chaep\"\n\
                    [budgets.tenant.e]\non_breach = \"model\"\nfallback_model = \"extractiv/small\"\n\
                    [budgets.tenant.f]\non_breach = \"model\"\nfallback_model = \"/small\"\n\
                    [budgets.tenant.g]\non_breach = \"templat\"\ntemplate = \" \"\n\
                    [budgets.total]\non_breach = \"refuse\"\n[budgets.task.answer]\ntemplate = \"x\"\n";
        insta::assert_snapshot!(problems(&format!("{PROVIDERS}{text}"), &[]), @r#"
        7:17 budgets.tenant.a.template: is missing (write the text that the caller gets instead of an answer)
        9:17 budgets.tenant.b.fallback_model: is missing (name the model or route that answers instead)
        11:12 budgets.tenant.b.template: is used with on_breach = "template" only (write on_breach = "template" if that is what is meant)
        13:18 budgets.tenant.c.fallback_model: is used with on_breach = "model" only (write on_breach = "model" if that is what is meant)
        16:18 budgets.tenant.d.fallback_model: no route `chaep` is configured (did you mean `cheap`?)
        19:18 budgets.tenant.e.fallback_model: no provider `extractiv` is configured (did you mean `extractive`?)
        22:18 budgets.tenant.f.fallback_model: `/small` does not name a model: write provider/model
        24:13 budgets.tenant.g.on_breach: `templat` is not one of refuse, template, model (did you mean `template`?)
        25:12 budgets.tenant.g.template: is empty (write the text that the caller gets instead of an answer)
        27:13 budgets.total.on_breach: only tenants have it (put it into [budgets.tenant.NAME], or [budgets.tenant."*"] for every tenant)
        29:12 budgets.task.answer.template: only tenants have it (put it into [budgets.tenant.NAME], or [budgets.tenant."*"] for every tenant)
        "#);
    }
}
