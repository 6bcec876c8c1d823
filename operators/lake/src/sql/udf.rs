//! Our kernels as functions of `DataFusion`'s plans.

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use sha2::{Digest as _, Sha256};

use super::function::{Argument, Call, EvalError, Kernel, Nulls, Session};
use super::scope::Typed;
use super::types::Type;

/// A kernel with the types it was chosen for.
#[derive(Debug, Clone)]
pub(super) struct KernelUdf {
    pub(super) name: String,
    pub(super) kernel: Kernel,
    pub(super) nulls: Nulls,
    pub(super) arguments: Vec<Type>,
    pub(super) returns: Type,
    pub(super) session: Arc<Session>,
    pub(super) signature: Signature,
    /// The name of the column that the call gives; see [`label`].
    label: Arc<str>,
}

impl KernelUdf {
    pub(super) fn call(
        name: &str,
        kernel: Kernel,
        nulls: Nulls,
        arguments: Vec<Typed>,
        returns: Type,
        session: &Arc<Session>,
    ) -> Typed {
        // What gives another value each time must not be computed once while planning.
        let volatile = matches!(name, "rand" | "random" | "shuffle" | "uuid");
        let volatility = if volatile { Volatility::Volatile } else { Volatility::Immutable };
        let (types, expressions): (Vec<Type>, Vec<Expr>) =
            arguments.into_iter().map(|argument| (argument.data_type, argument.expr)).unzip();
        let function = Self {
            label: label(name, &expressions, &returns),
            name: name.to_owned(),
            kernel,
            nulls,
            arguments: types,
            returns: returns.clone(),
            session: Arc::clone(session),
            signature: signature(expressions.len(), volatility),
        };
        Typed::new(ScalarUDF::new_from_impl(function).call(expressions), returns)
    }
}

/// The longest text of a call that is its name as it is.
const LABEL_BYTES: usize = 160;

/// Names the column of a call by its text, or by a digest of it where that is long: `DataFusion` asks for the name of every call
/// in an expression again and again, and the text of a chain of calls would be written once for each of them each time.
fn label(name: &str, arguments: &[Expr], returns: &Type) -> Arc<str> {
    let mut text = format!("{name}(");
    for (index, argument) in arguments.iter().enumerate() {
        // Writing to a text does not fail.
        let _written = write!(text, "{}{}", if index == 0 { "" } else { "," }, argument.schema_name());
    }
    let _written = write!(text, "):{returns}");
    if text.len() <= LABEL_BYTES {
        return text.into();
    }
    let mut digest = format!("{name}#");
    for byte in Sha256::digest(text.as_bytes()).iter().take(16) {
        let _written = write!(digest, "{byte:02x}");
    }
    digest.into()
}

/// Takes so many arguments as they are: the analyzer has typed them.
fn signature(arguments: usize, volatility: Volatility) -> Signature {
    if arguments == 0 { Signature::nullary(volatility) } else { Signature::any(arguments, volatility) }
}

impl PartialEq for KernelUdf {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && std::ptr::fn_addr_eq(self.kernel, other.kernel)
            && self.arguments == other.arguments
            && self.returns == other.returns
            && self.session == other.session
    }
}

impl Eq for KernelUdf {}

impl Hash for KernelUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.arguments.hash(state);
        self.returns.hash(state);
    }
}

impl ScalarUDFImpl for KernelUdf {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema_name(&self, _arguments: &[Expr]) -> DfResult<String> {
        Ok(self.label.as_ref().to_owned())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.to_arrow())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let constant = arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)))
            && self.signature.volatility != Volatility::Volatile;
        let rows = if constant { 1 } else { arguments.number_rows };
        let mut values = Vec::with_capacity(arguments.args.len());
        for argument in arguments.args {
            match argument {
                ColumnarValue::Array(array) => values.push(Argument { array, constant: false }),
                ColumnarValue::Scalar(value) => {
                    if value.is_null() && self.nulls == Nulls::ReturnNull {
                        return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&self.returns.to_arrow())?));
                    }
                    values.push(Argument { array: value.to_array()?, constant: true });
                }
            }
        }
        let call = Call { arguments: &self.arguments, returns: &self.returns, rows, session: &self.session };
        let result = (self.kernel)(&call, &values).map_err(external)?;
        if result.len() != rows || result.data_type() != &self.returns.to_arrow() {
            return Err(external(EvalError {
                name: "GENERIC_INTERNAL_ERROR",
                message: format!(
                    "function {} gave {} rows of {} for {rows} rows of {}",
                    self.name,
                    result.len(),
                    result.data_type(),
                    self.returns
                ),
            }));
        }
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// Puts an error of ours into `DataFusion`'s.
pub(super) fn external(error: EvalError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// `TRY(…)` while the statement is analyzed: it keeps its argument in sight and is replaced by [`TryUdf`] before it runs.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TryMarker {
    pub(super) returns: Type,
    signature: Signature,
}

impl TryMarker {
    pub(super) fn call(argument: Typed) -> Typed {
        let function = Self { returns: argument.data_type.clone(), signature: signature(1, Volatility::Immutable) };
        Typed::new(ScalarUDF::new_from_impl(function).call(vec![argument.expr]), argument.data_type)
    }
}

impl ScalarUDFImpl for TryMarker {
    fn name(&self) -> &'static str {
        "try"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.to_arrow())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(external(EvalError { name: "GENERIC_INTERNAL_ERROR", message: "TRY was not lowered".to_owned() }))
    }
}

/// An expression over columns of its own, evaluated so that rows it fails on become NULL.
#[derive(Debug)]
pub(super) struct TryUdf {
    /// The expression's text: two are equal when it and the columns are.
    pub(super) text: String,
    pub(super) inner: Arc<dyn PhysicalExpr>,
    pub(super) schema: SchemaRef,
    pub(super) returns: Type,
    pub(super) signature: Signature,
}

impl TryUdf {
    pub(super) fn new(text: String, inner: Arc<dyn PhysicalExpr>, schema: SchemaRef, returns: Type) -> Self {
        let signature = signature(schema.fields().len(), Volatility::Immutable);
        Self { text, inner, schema, returns, signature }
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<ArrayRef> {
        self.inner.evaluate(batch)?.into_array(batch.num_rows())
    }
}

impl PartialEq for TryUdf {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.returns == other.returns && self.schema == other.schema
    }
}

impl Eq for TryUdf {}

impl Hash for TryUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.returns.hash(state);
    }
}

/// The errors that TRY turns into NULL.
///
/// Source: <https://trino.io/docs/current/functions/conditional.html#try>.
const CAUGHT: &[&str] =
    &["DIVISION_BY_ZERO", "INVALID_CAST_ARGUMENT", "INVALID_FUNCTION_ARGUMENT", "NUMERIC_VALUE_OUT_OF_RANGE"];

impl ScalarUDFImpl for TryUdf {
    fn name(&self) -> &'static str {
        "try"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.to_arrow())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let rows = arguments.number_rows;
        let columns = arguments.args.iter().map(|value| value.to_array(rows)).collect::<DfResult<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        // The whole batch at once; row by row only where a row fails.
        match self.evaluate(&batch) {
            Ok(values) => Ok(ColumnarValue::Array(values)),
            Err(error) if is_caught(&error) => {
                let mut values: Vec<ArrayRef> = Vec::with_capacity(rows);
                for row in 0..rows {
                    values.push(match self.evaluate(&batch.slice(row, 1)) {
                        Ok(value) => value,
                        Err(error) if is_caught(&error) => new_null_array(&self.returns.to_arrow(), 1),
                        Err(error) => return Err(error),
                    });
                }
                let slices: Vec<&dyn arrow::array::Array> = values.iter().map(AsRef::as_ref).collect();
                Ok(ColumnarValue::Array(concat(&slices)?))
            }
            Err(error) => Err(error),
        }
    }
}

fn is_caught(error: &DataFusionError) -> bool {
    super::error::eval_error(error).is_some_and(|error| CAUGHT.contains(&error.name))
}
