//! The methods there are, the scope each asks for, and how one is run.

use rusqlite::Connection;

use super::answer::{Answer, Fault};
use super::php::Php;
use super::webhook::{Call, Caller};
use super::{
    activity_read, activity_write, binding, control, directory, item, multifield, timeline,
};

/// The scope that a webhook must have for a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    None,
    Crm,
    User,
    Department,
    Im,
}

impl Scope {
    fn is_given(self, caller: &Caller) -> bool {
        match self {
            Scope::None => true,
            Scope::Crm => caller.has_scope("crm"),
            Scope::User => {
                ["user", "user_basic", "user_brief"].iter().any(|name| caller.has_scope(name))
            }
            Scope::Department => caller.has_scope("department"),
            Scope::Im => caller.has_scope("im"),
        }
    }
}

type Run = fn(&Call<'_>, &Php) -> Result<Answer, Fault>;

const METHODS: &[(&str, Scope, Run)] = &[
    ("crm.item.add", Scope::Crm, item::add),
    ("crm.item.get", Scope::Crm, item::get),
    ("crm.item.list", Scope::Crm, item::list),
    ("crm.item.update", Scope::Crm, item::update),
    ("crm.item.delete", Scope::Crm, item::delete),
    ("crm.item.fields", Scope::Crm, item::fields),
    ("crm.duplicate.findbycomm", Scope::Crm, multifield::find_by_communication),
    ("crm.activity.add", Scope::Crm, activity_write::add),
    ("crm.activity.update", Scope::Crm, activity_write::update),
    ("crm.activity.get", Scope::Crm, activity_read::get),
    ("crm.activity.list", Scope::Crm, activity_read::list),
    ("crm.activity.delete", Scope::Crm, activity_read::delete),
    ("crm.activity.binding.list", Scope::Crm, binding::list),
    ("crm.activity.binding.add", Scope::Crm, binding::add),
    ("crm.activity.binding.delete", Scope::Crm, binding::delete),
    ("crm.activity.binding.move", Scope::Crm, binding::move_binding),
    ("crm.activity.todo.add", Scope::Crm, timeline::add_todo),
    ("crm.timeline.comment.add", Scope::Crm, timeline::add_comment),
    ("crm.settings.mode.get", Scope::Crm, directory::mode),
    ("crm.status.list", Scope::Crm, directory::statuses),
    ("crm.enum.ownertype", Scope::Crm, directory::owner_types),
    ("user.get", Scope::User, directory::users),
    ("user.current", Scope::User, directory::current_user),
    ("user.admin", Scope::None, directory::is_admin),
    ("department.get", Scope::Department, directory::departments),
    ("im.notify.personal.add", Scope::Im, timeline::notify),
    ("profile", Scope::None, directory::profile),
    ("scope", Scope::None, directory::scopes),
    ("app.info", Scope::None, directory::app_info),
    ("method.get", Scope::None, describe),
    ("sandbox.employee.set", Scope::None, control::set_employee),
    ("sandbox.webhook.set", Scope::None, control::set_webhook),
    ("sandbox.hide", Scope::None, control::hide),
    ("sandbox.convert", Scope::None, control::convert),
    ("sandbox.counts", Scope::None, control::counts),
];

/// Whether there is such a method; those that answer for the whole portal are no entries of the table.
pub(super) fn exists(method: &str) -> bool {
    method == "batch"
        || method == "sandbox.requests"
        || METHODS.iter().any(|(name, ..)| *name == method)
}

/// Whether this is one of the sandbox's own methods, which count against nothing.
pub(super) fn is_control(method: &str) -> bool {
    method.starts_with("sandbox.")
}

/// `method.get`.
fn describe(call: &Call<'_>, params: &Php) -> Result<Answer, Fault> {
    let name = params.get("name").text().to_ascii_lowercase();
    if name.is_empty() {
        return Err(Fault::missing("name"));
    }
    let found = METHODS.iter().find(|(known, ..)| *known == name && !is_control(known));
    let available = found.is_some_and(|(_, scope, _)| scope.is_given(call.caller));
    let existing = found.is_some() || name == "batch";
    Ok(Answer::of(Php::map([
        ("isExisting", existing.into()),
        ("isAvailable", (available || name == "batch").into()),
    ])))
}

/// Runs one method in a transaction of its own: what it refuses, it has not written.
pub(super) fn run(
    conn: &mut Connection,
    caller: &Caller,
    method: &str,
    params: &Php,
    now: i64,
    simple_mode: bool,
) -> Result<Answer, Fault> {
    let Some((_, scope, run)) = METHODS.iter().find(|(name, ..)| *name == method) else {
        return Err(Fault::with_status(404, "ERROR_METHOD_NOT_FOUND", "Method not found!"));
    };
    if !scope.is_given(caller) {
        let text = "The request requires higher privileges than provided by the webhook token";
        return Err(Fault::with_status(403, "insufficient_scope", text));
    }
    let tx = conn.transaction()?;
    let answer = run(&Call::new(&tx, caller, now, simple_mode), params)?;
    tx.commit()?;
    Ok(answer)
}
