//! A thermostat: a publish sets the target, a query asks for the current value or for the history.
use serde::Deserialize;
use serde_json::json;
use vantiq_connector::prelude::*;

#[derive(Deserialize)]
struct Config {
    unit: String,
}
#[derive(Deserialize)]
struct SetPoint {
    target: f64,
}
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "camelCase")]
enum Ask {
    Current,
    History { days: u32 },
}

#[derive(VantiqSource)]
#[vantiq_source("thermostat", config = Config, publish = SetPoint, query = Ask)]
struct Thermostat(Source, Config);

impl SourceHandler for Thermostat {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        Ok(Self(source, config))
    }
    async fn publish(&self, message: SetPoint) -> Result<()> {
        self.0.notify(&json!({"accepted": message.target, "unit": self.1.unit})).await?;
        Ok(())
    }
    async fn query(&self, ask: Ask, rows: &mut Rows) -> Result<Answer> {
        let Ask::History { days } = ask else { return Answer::row(&json!({"value": 21.5})) };
        rows.send_all((0..days).map(|day| json!({"day": day, "value": 21.5}))).await?;
        Ok(Answer::done())
    }
}

vantiq_connector::main!(Thermostat);

#[cfg(test)]
mod tests {
    use vantiq_connector::simulator::Conformance;

    use super::*;

    #[tokio::test]
    async fn the_thermostat_keeps_what_every_connector_promises() {
        let suite = Conformance::new("thermostat", json!({"unit": "celsius"}))
            .changed_configuration(json!({"unit": "kelvin"}))
            .invalid_configuration(json!({"unit": 5}))
            .publish(json!({"target": 21}))
            .query(json!({"op": "current"}))
            .large_query(json!({"op": "history", "days": 20_000}))
            .unknown_query(json!({"op": "weather"}));
        let report = vantiq_connector::conformance::<Thermostat>(suite).await;
        println!("{report}");
        report.assert_clean();
    }
}
