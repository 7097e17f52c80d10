use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::{CustomerProblem, CustomersError};
use crate::config::{PlanSettings, TenantSettings, is_tenant_name};
use crate::domain::nearest;

/// The columns, in any order; the last may be left out.
pub(super) const COLUMNS: [&str; 3] = ["tenant", "plan", "tickets_per_month"];
/// The most lines of a file after its header.
pub(super) const MAX_ROWS: u64 = 1_000_000;
/// The longest line that is read.
const MAX_LINE_BYTES: u64 = 1 << 16;
/// More tickets a month than this are taken for a mistake.
const MAX_TICKETS: u64 = 1_000_000_000;
/// Problems that are listed.
const MAX_PROBLEMS: usize = 100;

/// Reads the customers of a CSV file: a header row with `tenant`, `plan` and, if wanted, `tickets_per_month`, then a
/// row for each, at most 1,000,000. Tickets that are empty are those of the plan. Values may be quoted; blanks around
/// them do not matter, nor do blank lines.
///
/// # Errors
/// [`CustomersError::Invalid`] with every problem: unknown columns and plans, names that no tenant can have, a tenant
/// twice, tickets that are not a whole number from 0 to a billion, rows longer or shorter than the header.
pub fn read_customers(
    path: &Path,
    plans: &BTreeMap<String, PlanSettings>,
) -> Result<BTreeMap<String, TenantSettings>, CustomersError> {
    let unreadable = |source| CustomersError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut reading = Reading { plans, customers: BTreeMap::new(), problems: Vec::new(), more: 0 };
    match reading.all(BufReader::new(file), MAX_ROWS).map_err(unreadable)? {
        Extent::Whole if reading.problems.is_empty() => {
            Ok(reading.customers.into_iter().map(|(tenant, (_, settings))| (tenant, settings)).collect())
        }
        Extent::Whole => {
            Err(CustomersError::Invalid { path: path.to_owned(), problems: reading.problems, more: reading.more })
        }
        Extent::TooLong => Err(CustomersError::TooManyRows { path: path.to_owned() }),
    }
}

/// How much of a file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    TooLong,
}

struct Reading<'a> {
    plans: &'a BTreeMap<String, PlanSettings>,
    /// With the line of each.
    customers: BTreeMap<String, (u64, TenantSettings)>,
    problems: Vec<CustomerProblem>,
    more: usize,
}

impl Reading<'_> {
    fn all(&mut self, mut source: impl BufRead, max_rows: u64) -> io::Result<Extent> {
        let mut columns: Option<Vec<&'static str>> = None;
        let mut buffer = Vec::new();
        for line in 1.. {
            buffer.clear();
            if source.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut buffer)? == 0 {
                break;
            }
            if buffer.len() as u64 > MAX_LINE_BYTES {
                self.problem(line, None, format!("longer than {MAX_LINE_BYTES} bytes: not read on"), None);
                return Ok(Extent::Whole);
            }
            if line > max_rows + 1 {
                return Ok(Extent::TooLong);
            }
            let text = buffer.strip_prefix(b"\xef\xbb\xbf").filter(|_| line == 1).unwrap_or(&buffer).trim_ascii();
            if text.is_empty() {
                continue;
            }
            let Some(record) = fields(text)? else {
                self.problem(line, None, "a quote is not closed", None);
                continue;
            };
            match &columns {
                Some(columns) => self.row(line, columns, &record),
                None => match self.header(line, &record) {
                    Some(found) => columns = Some(found),
                    None => return Ok(Extent::Whole),
                },
            }
        }
        if columns.is_none() && self.problems.is_empty() {
            self.problem(1, None, "the file is empty", Some(header_hint()));
        }
        Ok(Extent::Whole)
    }

    /// The column of each cell; `None` when the rows cannot be understood.
    fn header(&mut self, line: u64, record: &ByteRecord) -> Option<Vec<&'static str>> {
        let before = self.problems.len();
        let mut columns = Vec::new();
        for cell in record {
            let name = String::from_utf8_lossy(cell.trim_ascii());
            match COLUMNS.into_iter().find(|column| *column == name) {
                Some(column) if columns.contains(&column) => {
                    self.problem(line, Some(column), "the column is there twice", None);
                }
                Some(column) => columns.push(column),
                None => {
                    let near = nearest(&name, COLUMNS).map(|near| format!("did you mean `{near}`?"));
                    let hint = near.unwrap_or_else(header_hint);
                    self.problem(line, None, format!("there is no column `{}`", brief(&name)), Some(hint));
                }
            }
        }
        for column in COLUMNS.into_iter().take(2).filter(|column| !columns.contains(column)) {
            self.problem(line, Some(column), "the column is missing", Some(header_hint()));
        }
        (self.problems.len() == before).then_some(columns)
    }

    fn row(&mut self, line: u64, columns: &[&'static str], record: &ByteRecord) {
        if record.len() != columns.len() {
            let message = format!("{} fields, where the header has {}", record.len(), columns.len());
            return self.problem(line, None, message, None);
        }
        let mut cells = [Some(""); COLUMNS.len()];
        for (column, cell) in columns.iter().zip(record) {
            let text = std::str::from_utf8(cell.trim_ascii()).ok();
            if text.is_none() {
                self.problem(line, Some(column), "not valid UTF-8", None);
            }
            if let Some((_, slot)) = COLUMNS.iter().zip(&mut cells).find(|(known, _)| *known == column) {
                *slot = text;
            }
        }
        let [tenant, plan, tickets] = cells;
        let tenant = tenant.and_then(|name| self.tenant(line, name));
        let plan = plan.and_then(|name| self.plan(line, name));
        let tickets = tickets.and_then(|text| self.tickets(line, text).ok());
        if let (Some(tenant), Some(plan), Some(tickets_per_month)) = (&tenant, plan, tickets) {
            let settings = TenantSettings { plan: Some(plan), tickets_per_month };
            self.customers.insert(tenant.clone(), (line, settings));
        } else if let Some(tenant) = tenant {
            // It stands here, so that it is a duplicate further down.
            self.customers.insert(tenant, (line, TenantSettings { plan: None, tickets_per_month: None }));
        }
    }

    fn tenant(&mut self, line: u64, name: &str) -> Option<String> {
        if name.is_empty() {
            self.problem(line, Some("tenant"), "is empty", None);
        } else if !is_tenant_name(name) {
            let message = format!("`{}` must be letters, digits, `-` and `_`, at most 64", brief(name));
            self.problem(line, Some("tenant"), message, None);
        } else if let Some((first, _)) = self.customers.get(name) {
            let message = format!("`{name}` stands on line {first} already");
            self.problem(line, Some("tenant"), message, None);
        } else {
            return Some(name.to_owned());
        }
        None
    }

    fn plan(&mut self, line: u64, name: &str) -> Option<String> {
        if self.plans.contains_key(name) {
            return Some(name.to_owned());
        }
        let names = || self.plans.keys().map(String::as_str);
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.plans.is_empty() => format!("define it as `[plans.{}]` in tollgate.toml", brief(name)),
            None => format!("known plans: {}", names().take(20).collect::<Vec<_>>().join(", ")),
        };
        let message =
            if name.is_empty() { "is empty".to_owned() } else { format!("there is no plan `{}`", brief(name)) };
        self.problem(line, Some("plan"), message, Some(hint));
        None
    }

    /// The tickets a month, `None` where the plan's are meant; `Err` when that is a problem, which is noted.
    fn tickets(&mut self, line: u64, text: &str) -> Result<Option<u64>, ()> {
        if text.is_empty() {
            return Ok(None);
        }
        let tickets = text.parse().ok().filter(|tickets| *tickets <= MAX_TICKETS);
        if tickets.is_none() {
            let message = format!("`{}` is not a whole number from 0 to {MAX_TICKETS}", brief(text));
            self.problem(line, Some("tickets_per_month"), message, None);
        }
        tickets.map(Some).ok_or(())
    }

    fn problem(&mut self, line: u64, field: Option<&'static str>, message: impl Into<String>, hint: Option<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(CustomerProblem { line, field, message: message.into(), hint });
        } else {
            self.more += 1;
        }
    }
}

/// The fields of a line; `None` when a quote in it is open. No field of such a file holds a line break: taken line by
/// line, a stray quote spoils its own line only.
fn fields(line: &[u8]) -> io::Result<Option<ByteRecord>> {
    // Building a CSV reader costs far more than a line: only a comma or a quote within quotes is worth one.
    if let Some(record) = line.split(|byte| *byte == b',').map(plain).collect() {
        return Ok(Some(record));
    }
    let mut record = ByteRecord::new();
    let mut reader = ReaderBuilder::new().has_headers(false).buffer_capacity(line.len()).from_reader(line);
    reader.read_byte_record(&mut record).map_err(io::Error::from)?;
    // Quotes come in pairs, so that the parts between them are odd.
    let parts = line.split(|byte| *byte == b'"').count();
    Ok((!parts.is_multiple_of(2)).then_some(record))
}

/// A field without its quotes; `None` when it holds others, or has only one.
fn plain(field: &[u8]) -> Option<&[u8]> {
    let inner = field.strip_prefix(b"\"").map_or(Some(field), |rest| rest.strip_suffix(b"\""))?;
    (!inner.contains(&b'"')).then_some(inner)
}

fn header_hint() -> String {
    format!("the first line must be {}", COLUMNS.join(","))
}

/// The beginning of a text that may be long.
fn brief(text: &str) -> String {
    let mut rest = text.chars();
    let start: String = rest.by_ref().take(40).collect();
    if rest.next().is_some() { start + "…" } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NanoUsd;

    fn plans() -> BTreeMap<String, PlanSettings> {
        let plan = PlanSettings { price: NanoUsd(0), tickets_per_month: None, acquisition: None };
        ["basic", "pro"].map(|name| (name.to_owned(), plan)).into()
    }

    fn read(content: impl AsRef<[u8]>) -> Result<BTreeMap<String, TenantSettings>, CustomersError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("customers.csv");
        std::fs::write(&path, content).unwrap();
        read_customers(&path, &plans())
    }

    fn problems(content: impl AsRef<[u8]>) -> Vec<(u64, Option<&'static str>, String)> {
        match read(content) {
            Err(CustomersError::Invalid { problems, .. }) => {
                problems.into_iter().map(|problem| (problem.line, problem.field, problem.message)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn customers_are_read_in_any_order_of_columns() {
        let content = "\u{feff}plan, tickets_per_month ,tenant\r\nbasic,,acme\r\n\r\n pro ,\"300\",\"globex\"\r\n";
        let of = |plan: &str, tickets_per_month| TenantSettings { plan: Some(plan.to_owned()), tickets_per_month };
        let expected = [("acme".to_owned(), of("basic", None)), ("globex".to_owned(), of("pro", Some(300)))].into();
        assert_eq!(read(content).unwrap(), expected);
        assert_eq!(read("tenant,plan\nacme,basic\n").unwrap()["acme"], of("basic", None));
        assert_eq!(read("tenant,plan,tickets_per_month\n").unwrap(), BTreeMap::new());
    }

    #[test]
    fn every_problem_is_listed_with_its_line_and_field() {
        let content = b"tenant,plan,tickets_per_month\nacme,basci,-5\n\nbad name,pro,1.5\nacme,pro,2000000000\n,,1\n\
            x,pro\n\xff,pro,1\ny,pro,\n";
        let tickets = |text: &str| format!("`{text}` is not a whole number from 0 to 1000000000");
        let expected = [
            (2, Some("plan"), "there is no plan `basci`".to_owned()),
            (2, Some("tickets_per_month"), tickets("-5")),
            (4, Some("tenant"), "`bad name` must be letters, digits, `-` and `_`, at most 64".to_owned()),
            (4, Some("tickets_per_month"), tickets("1.5")),
            (5, Some("tenant"), "`acme` stands on line 2 already".to_owned()),
            (5, Some("tickets_per_month"), tickets("2000000000")),
            (6, Some("tenant"), "is empty".to_owned()),
            (6, Some("plan"), "is empty".to_owned()),
            (7, None, "2 fields, where the header has 3".to_owned()),
            (8, Some("tenant"), "not valid UTF-8".to_owned()),
        ];
        assert_eq!(problems(content), expected);
        let shown = read(content).unwrap_err().to_string();
        assert!(shown.contains("has 10 problems\n"), "{shown}");
        assert!(shown.contains(".csv:2: plan: there is no plan `basci`\n  hint: did you mean `basic`?\n"), "{shown}");
    }

    #[test]
    fn a_header_is_needed() {
        let lacking = problems("acme,basic,3\n");
        assert_eq!(lacking.len(), 5, "{lacking:?}");
        assert_eq!(lacking[0], (1, None, "there is no column `acme`".to_owned()));
        assert_eq!(lacking[3], (1, Some("tenant"), "the column is missing".to_owned()));
        assert_eq!(problems(""), [(1, None, "the file is empty".to_owned())]);
        assert_eq!(problems("tenant,plan,plan\n"), [(1, Some("plan"), "the column is there twice".to_owned())]);
        let misspelt = read("tenant,plan,ticket_per_month\na,pro,1\n").unwrap_err().to_string();
        assert!(misspelt.contains("hint: did you mean `tickets_per_month`?"), "{misspelt}");
    }

    #[test]
    fn a_file_without_end_is_refused_in_little_memory() {
        let plans = plans();
        let read = |source: &mut dyn BufRead, rows| {
            let mut reading = Reading { plans: &plans, customers: BTreeMap::new(), problems: vec![], more: 0 };
            let extent = reading.all(source, rows).unwrap();
            (extent, reading.problems.into_iter().map(|problem| (problem.line, problem.message)).collect::<Vec<_>>())
        };
        let content = "tenant,plan\na,pro\n\nb,pro";
        assert_eq!(read(&mut content.as_bytes(), 3), (Extent::Whole, vec![]));
        assert_eq!(read(&mut content.as_bytes(), 2), (Extent::TooLong, vec![]));
        let mut endless = BufReader::new(content.as_bytes().chain(io::repeat(b'x')));
        let too_long = (4, "longer than 65536 bytes: not read on".to_owned());
        assert_eq!(read(&mut endless, 3), (Extent::Whole, vec![too_long]));
    }

    #[test]
    fn a_stray_quote_spoils_its_own_line_only() {
        let found = problems("tenant,plan\n\"a,pro\nb,\"pro\"\n\"c,d\",pro\ne,x\n");
        let lines: Vec<(u64, &str)> = found.iter().map(|(line, _, message)| (*line, message.as_str())).collect();
        let name = "`c,d` must be letters, digits, `-` and `_`, at most 64";
        assert_eq!(lines, [(2, "a quote is not closed"), (4, name), (5, "there is no plan `x`")]);
    }

    #[test]
    fn a_hundred_problems_are_shown_and_the_rest_counted() {
        let content = "tenant,plan\n".to_owned() + &"!,pro\n".repeat(150);
        let error = read(content).unwrap_err();
        let CustomersError::Invalid { problems, more, .. } = &error else { panic!("{error}") };
        assert_eq!((problems.len(), *more), (100, 50));
        assert!(error.to_string().ends_with("\nand 50 more"));
    }

    #[test]
    fn a_file_that_is_not_there_says_what_it_would_be() {
        let error = read_customers(Path::new("/nowhere/customers.csv"), &plans()).unwrap_err();
        assert_eq!(
            error.hint().as_deref(),
            Some("a customers file is a CSV file with the columns tenant,plan,tickets_per_month")
        );
    }
}
