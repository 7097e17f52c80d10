use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::app::App;
use super::failure::Failure;
use crate::store::SpendFilter;

/// Which spending is looked at; the same for every command that reads the ledger.
#[derive(Debug, Args)]
pub(super) struct SpendArgs {
    /// The time up to now, such as 24h, 30d or 8w [default: 30d]
    #[arg(long, value_name = "AGE", value_parser = super::runs::parse_age, conflicts_with = "from", help_heading = "Selection")]
    last: Option<SignedDuration>,
    /// From this day on (UTC)
    #[arg(long, value_name = "DATE", value_parser = parse_date, help_heading = "Selection")]
    from: Option<Date>,
    /// Before this day (UTC) [default: up to now]
    #[arg(long, value_name = "DATE", value_parser = parse_date, requires = "from", help_heading = "Selection")]
    until: Option<Date>,
    #[command(flatten)]
    who: WhoArgs,
}

/// Whose spending is looked at.
#[derive(Debug, Args, Clone, Default)]
pub(super) struct WhoArgs {
    /// Only of this tenant
    #[arg(long, value_name = "NAME", value_parser = super::tenant_name, help_heading = "Selection")]
    pub(super) tenant: Option<String>,
    /// Only by this command or route: ask, eval, kb
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub(super) endpoint: Option<String>,
}

impl SpendArgs {
    /// What is selected.
    pub(super) fn filter(&self, app: &App) -> Result<SpendFilter, Failure> {
        let now = app.clock.now();
        let from = match self.from {
            Some(date) => midnight(date)?,
            None => before(now, self.last.unwrap_or(SignedDuration::from_hours(30 * 24)))?,
        };
        let until = self.until.map_or(Ok(just_after(now)), midnight)?;
        if until <= from || self.last.is_some_and(|last| last.is_zero()) {
            let hint = match self.until {
                Some(_) => "let `--until` be after `--from`",
                None => "begin earlier",
            };
            return Err(Failure::usage("the time that is asked for is empty", hint));
        }
        Ok(self.who.filter(from, until))
    }

    /// The same, of customers: without evaluations, unless these are asked for.
    pub(super) fn customers(&self, app: &App) -> Result<SpendFilter, Failure> {
        let all = self.filter(app)?;
        Ok(self.who.customers(all.from, all.until))
    }
}

impl WhoArgs {
    /// The same of another time.
    pub(super) fn filter(&self, from: Timestamp, until: Timestamp) -> SpendFilter {
        let (tenant, endpoint) = (self.tenant.clone(), self.endpoint.clone());
        SpendFilter { from, until, tenant, endpoint, without: None }
    }

    /// The same, of customers: without evaluations, unless these are asked for.
    pub(super) fn customers(&self, from: Timestamp, until: Timestamp) -> SpendFilter {
        let without = self.endpoint.is_none().then_some("eval");
        SpendFilter { without, ..self.filter(from, until) }
    }
}

/// Reads a day.
pub(super) fn parse_date(text: &str) -> Result<Date, String> {
    let plain = text.len() == 10;
    text.parse().ok().filter(|_| plain).ok_or_else(|| "write a day, such as 2026-11-23".to_owned())
}

/// The first moment that is not up to now: stored times are whole milliseconds.
pub(super) fn just_after(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_millis(1)).unwrap_or(now)
}

/// That long ago.
pub(super) fn before(now: Timestamp, time: SignedDuration) -> Result<Timestamp, Failure> {
    now.checked_sub(time).map_err(|_| Failure::usage("that is longer ago than time goes back", "give fewer days"))
}

/// The first moment of a day in UTC.
pub(super) fn midnight(date: Date) -> Result<Timestamp, Failure> {
    let zoned = date.to_zoned_datetime(TimeZone::UTC);
    zoned.map(|zoned| zoned.timestamp()).map_err(|_| Failure::usage(format!("{date} is no day"), "write 2026-11-23"))
}
