//! The CRM's employees as they were last asked for.

use rusqlite::{Connection, params};

use super::record::int;
use super::{Error, Ledger};
use crate::card::Employee;

impl Ledger {
    /// The CRM's employees as last asked.
    pub async fn employees(&self) -> Result<Vec<Employee>, Error> {
        self.read("read employees", |conn| {
            let mut statement =
                conn.prepare_cached("SELECT id, name, email, active FROM employee ORDER BY id")?;
            let rows = statement.query_map([], |row| {
                Ok(Employee {
                    id: row.get("id")?,
                    name: row.get("name")?,
                    email: row.get("email")?,
                    active: row.get("active")?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    /// Replaces the list of employees.
    pub async fn set_employees(&self, employees: Vec<Employee>) -> Result<(), Error> {
        let active = employees
            .iter()
            .filter(|employee| employee.active)
            .filter_map(|employee| employee.email.clone())
            .collect();
        self.write("keep employees", move |tx| {
            tx.execute(
                "INSERT INTO meta (key, value) VALUES ('employees', 'known')
                 ON CONFLICT (key) DO NOTHING",
                [],
            )?;
            tx.execute("DELETE FROM employee", [])?;
            for employee in &employees {
                tx.prepare_cached(
                    "INSERT INTO employee (id, name, email, active) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (id) DO NOTHING",
                )?
                .execute(params![
                    int(employee.id),
                    employee.name,
                    employee.email,
                    employee.active
                ])?;
            }
            Ok(())
        })
        .await?;
        *super::held(&self.inner.employees) = Some(std::sync::Arc::new(active));
        Ok(())
    }
}

/// Addresses of active employees; `None` if the CRM never named any.
pub(super) fn active_addresses(
    conn: &Connection,
) -> rusqlite::Result<Option<std::sync::Arc<std::collections::HashSet<String>>>> {
    let known: bool = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'employees') AS known",
        [],
        |row| row.get("known"),
    )?;
    if !known {
        return Ok(None);
    }
    let mut statement =
        conn.prepare("SELECT email FROM employee WHERE active = 1 AND email IS NOT NULL")?;
    let rows = statement.query_map([], |row| row.get("email"))?;
    Ok(Some(std::sync::Arc::new(rows.collect::<rusqlite::Result<_>>()?)))
}
