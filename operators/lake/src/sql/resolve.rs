//! Which form of a function a call means: Trino's rules over the signatures of the function table.
//!
//! A form without conversions wins, one without type variables first; otherwise the most specific of the forms that the
//! arguments can be converted to; two that are equally near are an error.

mod foreign;
pub mod known;
mod signature;

use super::aggregate;
use super::coerce::can_coerce;
use super::error::SqlError;
use super::function::{Function, Kernel, Nulls, Overload, TABLE};
use super::operator::{self, Operator};
use super::types::Type;
use signature::Signature;

/// A call that is understood.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The function's name, or the operator's sign.
    pub name: &'static str,
    /// The code.
    pub kernel: Kernel,
    /// What a NULL argument does.
    pub nulls: Nulls,
    /// What the arguments are to be converted to, one for each.
    pub arguments: Vec<Type>,
    /// The type of the result.
    pub returns: Type,
}

/// Finds the form of a scalar function, by its name in lower case.
///
/// # Errors
/// `FUNCTION_NOT_FOUND` when there is no such function or form, `AMBIGUOUS_FUNCTION_CALL`; unsupported when Trino has the
/// function and the table does not.
pub fn scalar(name: &str, arguments: &[Type]) -> Result<Resolved, SqlError> {
    match TABLE.iter().flat_map(|family| family.iter()).find(|function| function.name == name) {
        Some(function) => resolve(function, arguments),
        None if known::is_known(name) => Err(SqlError::unsupported(format!("function `{name}`"))),
        None => Err(not_registered(name)),
    }
}

/// Finds the form of an operator.
///
/// # Errors
/// `TYPE_MISMATCH` when Trino has none for these types.
pub fn operator(operator: Operator, operands: &[Type]) -> Result<Resolved, SqlError> {
    operator::resolve(operator, operands)
}

/// Says that there is no such function, and which one is meant: what other databases call otherwise, or a name that is near.
pub fn not_registered(name: &str) -> SqlError {
    let scalars = TABLE.iter().flat_map(|family| family.iter()).map(|function| function.name);
    let others = aggregate::KNOWN.iter().chain(known::WINDOW).copied();
    let listed = scalars.filter(|name| !name.starts_with('$')).chain(others);
    let hint = match foreign::instead_of(name) {
        Some(instead) => format!("; here it is `{instead}`"),
        None => nearest(name, listed).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default(),
    };
    SqlError::trino("FUNCTION_NOT_FOUND", format!("Function '{name}' not registered{hint}"))
}

/// Finds the name that is so near that it is likely meant.
pub fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance * 2 < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Counts the signs to insert, delete, change or swap with the next one to get from one name to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut above: Vec<usize> = Vec::new();
    let mut costs: Vec<usize> = (0..=to.len()).collect();
    for (row, sign) in from.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let mut cost =
                (costs[column] + usize::from(sign != other)).min(next[column] + 1).min(costs[column + 1] + 1);
            if row > 0 && column > 0 && from[row - 1] == *other && *sign == to[column - 1] {
                cost = cost.min(above[column - 1] + 1);
            }
            next.push(cost);
        }
        above = std::mem::replace(&mut costs, next);
    }
    costs[to.len()]
}

/// A form that fits, with its types filled in.
struct Candidate {
    overload: &'static Overload,
    signature: Signature,
    arguments: Vec<Type>,
    returns: Type,
}

/// Finds the form of a function for arguments of these types.
///
/// # Errors
/// `FUNCTION_NOT_FOUND` with the forms there are, or `AMBIGUOUS_FUNCTION_CALL`.
pub fn resolve(function: &'static Function, arguments: &[Type]) -> Result<Resolved, SqlError> {
    let mut applicable = Vec::new();
    for overload in function.overloads {
        let signature = Signature::parse(overload.signature).map_err(|reason| {
            SqlError::trino("GENERIC_INTERNAL_ERROR", format!("{}{}: {reason}", function.name, overload.signature))
        })?;
        if let Some((bound, returns)) = signature.bind(arguments) {
            let returns = match overload.returns {
                Some(compute) => compute(&bound),
                None => returns,
            };
            if let Some(returns) = returns {
                applicable.push(Candidate { overload, signature, arguments: bound, returns });
            }
        }
    }
    let chosen = choose(applicable, arguments).map_err(|fault| match fault {
        Fault::None => {
            let given: Vec<String> = arguments.iter().map(Type::to_string).collect();
            let forms: Vec<String> = function
                .overloads
                .iter()
                .map(|overload| {
                    let parameters = overload.signature.split(" ->").next().unwrap_or_default();
                    format!("{}{parameters}", function.name)
                })
                .collect();
            SqlError::trino(
                "FUNCTION_NOT_FOUND",
                format!(
                    "Unexpected parameters ({}) for function {}. Expected: {}",
                    given.join(", "),
                    function.name,
                    forms.join(", ")
                ),
            )
        }
        Fault::Several => SqlError::trino(
            "AMBIGUOUS_FUNCTION_CALL",
            format!("Could not choose a best candidate form of function {}: use an explicit cast", function.name),
        ),
    })?;
    Ok(Resolved {
        name: function.name,
        kernel: chosen.overload.kernel,
        nulls: chosen.overload.nulls,
        arguments: chosen.arguments,
        returns: chosen.returns,
    })
}

/// Why no form was chosen.
enum Fault {
    None,
    Several,
}

fn choose(mut applicable: Vec<Candidate>, arguments: &[Type]) -> Result<Candidate, Fault> {
    for generic in [false, true] {
        let exact =
            |candidate: &Candidate| candidate.signature.is_generic() == generic && candidate.arguments == arguments;
        if let Some(found) = applicable.iter().position(exact) {
            return Ok(applicable.swap_remove(found));
        }
    }
    // Forms that convert nothing but NULL come before those that convert values.
    let converts_null_only = |candidate: &Candidate| {
        candidate.arguments.iter().zip(arguments).all(|(to, from)| to == from || *from == Type::Unknown)
    };
    if applicable.iter().any(converts_null_only) {
        applicable.retain(converts_null_only);
    }
    let mut best: Vec<Candidate> = Vec::new();
    for candidate in applicable {
        if best.iter().any(|other| is_more_specific(other, &candidate) && !is_more_specific(&candidate, other)) {
            continue;
        }
        best.retain(|other| !is_more_specific(&candidate, other) || is_more_specific(other, &candidate));
        best.push(candidate);
    }
    let mut best = best.into_iter();
    let first = best.next().ok_or(Fault::None)?;
    // Forms that give NULL for NULL and one type are the same function.
    let same = |other: &Candidate| {
        other.returns == first.returns
            && other.overload.nulls == Nulls::ReturnNull
            && first.overload.nulls == Nulls::ReturnNull
            && arguments.contains(&Type::Unknown)
    };
    if best.all(|other| same(&other)) { Ok(first) } else { Err(Fault::Several) }
}

/// Tells whether what the first takes, the second would take too.
fn is_more_specific(first: &Candidate, second: &Candidate) -> bool {
    second
        .signature
        .bind(&first.arguments)
        .is_some_and(|(bound, _)| first.arguments.iter().zip(&bound).all(|(from, to)| can_coerce(from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::ArrayRef;

    use crate::sql::function::{Argument, Call, EvalError};

    fn nothing(_: &Call<'_>, _: &[Argument]) -> Result<ArrayRef, EvalError> {
        Err(EvalError::division_by_zero())
    }

    const fn form(signature: &'static str) -> Overload {
        Overload { signature, nulls: Nulls::ReturnNull, returns: None, kernel: nothing }
    }

    static ABS: Function = Function {
        name: "abs",
        overloads: &[
            form("(tinyint) -> tinyint"),
            form("(bigint) -> bigint"),
            form("(integer) -> integer"),
            form("(double) -> double"),
            form("(decimal(p,s)) -> decimal(p,s)"),
        ],
    };
    static LENGTH: Function = Function {
        name: "length",
        overloads: &[form("(varchar(x)) -> bigint"), form("(char(x)) -> bigint"), form("(varbinary) -> bigint")],
    };
    static GREATEST: Function = Function { name: "greatest", overloads: &[form("(E, E...) -> E")] };
    static CONTAINS: Function = Function { name: "contains", overloads: &[form("(array(T), T) -> boolean")] };
    static ELEMENT_AT: Function =
        Function { name: "element_at", overloads: &[form("(array(E), bigint) -> E"), form("(map(K,V), K) -> V")] };
    static DATE_ADD: Function = Function {
        name: "date_add",
        overloads: &[
            form("(varchar(x), bigint, date) -> date"),
            form("(varchar(x), bigint, timestamp(p)) -> timestamp(p)"),
            form("(varchar(x), bigint, timestamp(p) with time zone) -> timestamp(p) with time zone"),
        ],
    };

    fn call(function: &'static Function, arguments: &[&str]) -> String {
        let types: Vec<Type> = arguments.iter().map(|text| Type::from_trino(text).unwrap()).collect();
        match resolve(function, &types) {
            Ok(found) => {
                let arguments: Vec<String> = found.arguments.iter().map(Type::to_string).collect();
                format!("({}) -> {}", arguments.join(", "), found.returns)
            }
            Err(error) => error.name().to_owned(),
        }
    }

    #[test]
    fn forms_are_chosen_as_trino_does() {
        for (function, arguments, expected) in [
            (&ABS, &["integer"] as &[&str], "(integer) -> integer"),
            (&ABS, &["smallint"], "(integer) -> integer"),
            (&ABS, &["decimal(4,2)"], "(decimal(4,2)) -> decimal(4,2)"),
            (&ABS, &["real"], "(double) -> double"),
            (&ABS, &["unknown"], "(tinyint) -> tinyint"),
            (&ABS, &["varchar(1)"], "FUNCTION_NOT_FOUND"),
            (&ABS, &["integer", "integer"], "FUNCTION_NOT_FOUND"),
            (&LENGTH, &["varchar(3)"], "(varchar(3)) -> bigint"),
            (&LENGTH, &["varchar"], "(varchar) -> bigint"),
            (&LENGTH, &["char(3)"], "(char(3)) -> bigint"),
            (&LENGTH, &["integer"], "FUNCTION_NOT_FOUND"),
            (&GREATEST, &["integer", "decimal(2,1)"], "(decimal(11,1), decimal(11,1)) -> decimal(11,1)"),
            (&GREATEST, &["integer", "unknown", "bigint"], "(bigint, bigint, bigint) -> bigint"),
            (&GREATEST, &["integer", "varchar(1)"], "FUNCTION_NOT_FOUND"),
            (&CONTAINS, &["array(integer)", "bigint"], "(array(bigint), bigint) -> boolean"),
            (&CONTAINS, &["array(unknown)", "integer"], "(array(integer), integer) -> boolean"),
            (&CONTAINS, &["array(varchar(2))", "varchar(5)"], "(array(varchar(5)), varchar(5)) -> boolean"),
            (&ELEMENT_AT, &["array(varchar)", "integer"], "(array(varchar), bigint) -> varchar"),
            (&ELEMENT_AT, &["map(varchar, double)", "varchar(1)"], "(map(varchar, double), varchar) -> double"),
            (&DATE_ADD, &["varchar(3)", "integer", "date"], "(varchar(3), bigint, date) -> date"),
            (
                &DATE_ADD,
                &["varchar(3)", "integer", "timestamp(0)"],
                "(varchar(3), bigint, timestamp(0)) -> timestamp(0)",
            ),
            (&DATE_ADD, &["varchar(3)", "integer", "varchar(10)"], "FUNCTION_NOT_FOUND"),
        ] {
            assert_eq!(call(function, arguments), expected, "{}{arguments:?}", function.name);
        }
    }

    #[test]
    fn every_listed_signature_can_be_read() {
        for function in TABLE.iter().flat_map(|family| family.iter()) {
            for overload in function.overloads {
                if let Err(reason) = Signature::parse(overload.signature) {
                    panic!("{}{}: {reason}", function.name, overload.signature);
                }
            }
        }
    }

    #[test]
    fn unknown_functions_are_told_from_missing_ones() {
        assert_eq!(scalar("ifnull", &[]).unwrap_err().name(), "FUNCTION_NOT_FOUND");
        assert_eq!(distance("lenght", "length"), 1, "two signs swapped");
        assert_eq!((distance("lnght", "length"), distance("sum", "sums"), distance("abc", "xyz")), (2, 1, 3));
    }
}
