use super::{CapForecast, CapStatus, Forecast, ForecastMethod};
use crate::report::{Cell, Document, Records, Render, Status};

impl Render for Forecast {
    fn schema_name(&self) -> &'static str {
        "cost_forecast"
    }

    fn document(&self) -> Document {
        let (status, text) = self.verdict();
        let unknown = || Cell::Text("– (seven complete days are needed)".to_owned());
        let interval = self.interval.map_or_else(unknown, |range| {
            let confidence = (range.confidence * 1e3).round() / 10.0;
            Cell::Text(format!("{} to {} ({confidence}%)", range.lower_nanousd, range.upper_nanousd))
        });
        let mut facts = vec![
            ("spent so far", Cell::from(self.spent_nanousd)),
            ("expected at month's end", self.expected_nanousd.into()),
            ("interval", interval),
        ];
        if let Some(cap) = &self.cap {
            facts.push(("cap of the month", cap.cap_nanousd.into()));
        }
        if self.method == ForecastMethod::WeekdaysAndWeekends {
            facts.push(("a weekday", self.per_weekday_nanousd.into()));
            facts.push(("a weekend day", self.per_weekend_day_nanousd.into()));
        } else {
            facts.push(("a day", self.per_weekday_nanousd.into()));
        }
        facts.extend([
            ("days left", Cell::Number { value: Some(self.days_left), decimals: 1, unit: "" }),
            ("days used", Cell::count(self.days_used as usize)),
            ("method", self.method.about().into()),
        ]);
        Document::new(format!("Cost forecast for {}", self.today.strftime("%B %Y"))).verdict(status, text).facts(facts)
    }

    fn records(&self) -> Option<Records> {
        let header = [
            "today",
            "spent_nanousd",
            "expected_nanousd",
            "lower_nanousd",
            "upper_nanousd",
            "confidence",
            "days_used",
            "days_left",
            "cap_nanousd",
            "cap_reached_on",
        ];
        let number = |value| Cell::Number { value, decimals: 2, unit: "" };
        Some(Records::new(header).row([
            self.today.to_string().into(),
            self.spent_nanousd.into(),
            self.expected_nanousd.into(),
            self.interval.map(|range| range.lower_nanousd).into(),
            self.interval.map(|range| range.upper_nanousd).into(),
            number(self.interval.map(|range| range.confidence)),
            Cell::count(self.days_used as usize),
            number(Some(self.days_left)),
            self.cap.map(|cap| cap.cap_nanousd).into(),
            self.cap.and_then(|cap| cap.reached_on).map(|date| date.to_string()).into(),
        ]))
    }
}

impl Forecast {
    fn verdict(&self) -> (Status, String) {
        let Some(expected) = self.expected_nanousd else {
            let text = format!("{} spent so far; there is no complete day to forecast from", self.spent_nanousd);
            let reached = self.cap.filter(|cap| cap.status == CapStatus::Reached);
            return reached
                .map_or((Status::Warn, text.clone()), |cap| (Status::Bad, format!("{text}; {}", cap.about())));
        };
        let text = format!("{expected} expected by {}", self.month_end);
        match &self.cap {
            None => (Status::Neutral, text),
            Some(cap) => (cap.status.into(), format!("{text}; {}", cap.about())),
        }
    }
}

impl CapForecast {
    fn about(&self) -> String {
        let cap = self.cap_nanousd;
        match (self.status, self.reached_on) {
            (CapStatus::Reached, _) => format!("the cap of {cap} is reached"),
            (CapStatus::Expected, Some(date)) => format!("reaches the cap of {cap} around {date}"),
            (CapStatus::Possible, _) => format!("within the cap of {cap}, which the interval goes beyond"),
            (CapStatus::Unlikely, _) => format!("within the cap of {cap}"),
            (CapStatus::Expected | CapStatus::Unknown, _) => {
                format!("whether the cap of {cap} is reached is not known")
            }
        }
    }
}

impl From<CapStatus> for Status {
    fn from(status: CapStatus) -> Self {
        match status {
            CapStatus::Reached => Self::Bad,
            CapStatus::Expected | CapStatus::Possible | CapStatus::Unknown => Self::Warn,
            CapStatus::Unlikely => Self::Good,
        }
    }
}

impl ForecastMethod {
    fn about(self) -> &'static str {
        match self {
            Self::NoDays => "none: no complete day yet",
            Self::DailyMean => "the mean of the days before",
            Self::WeekdaysAndWeekends => "means of weekdays and of weekend days before",
        }
    }
}
