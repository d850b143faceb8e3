//! Ids and states as column types: queries compare and rows hold the type itself; the database
//! stores its text.

use sea_orm::{
    ActiveValue, ColIdx, DbErr, IntoActiveValue, QueryResult, TryFromU64, TryGetError, TryGetable,
    Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
};

use super::{blob::BlobHash, edit, file_kind::FileKind, link::Purpose};
use crate::protocol::{
    AccountRole, ApiTokenId, Author, CreditReason, EventName, FragmentId, ImageType, MessageId,
    MessageKind, Mode, ModelId, ModelProvider, PasskeyId, Plan, ProjectId, ProjectRole, Role,
    RunId, RunState, SavedPromptId, SessionId, ToolDecision, UserId,
};

/// Makes each type a text column, written by `$to_text` and read by `$from_text`.
macro_rules! text_columns {
    ($($type:ty: $to_text:expr, $from_text:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                let text: String = $to_text(&value);
                text.into()
            }
        }

        impl TryGetable for $type {
            fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
                let text = String::try_get_by(row, index)?;
                $from_text(&text).map_err(|error| {
                    let column = column_name(row, index);
                    let kind = stringify!($type);
                    let error = format!("the column {column} holds no {kind}: {error}");
                    TryGetError::DbErr(DbErr::Type(error))
                })
            }
        }

        impl ValueType for $type {
            fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                let text = <String as ValueType>::try_from(value)?;
                $from_text(&text).map_err(|_| ValueTypeErr)
            }

            fn type_name() -> String {
                stringify!($type).to_owned()
            }

            fn array_type() -> ArrayType {
                ArrayType::String
            }

            fn column_type() -> ColumnType {
                ColumnType::Text
            }
        }

        impl Nullable for $type {
            fn null() -> Value {
                Value::String(None)
            }
        }

        impl IntoActiveValue<$type> for $type {
            fn into_active_value(self) -> ActiveValue<$type> {
                ActiveValue::Set(self)
            }
        }

        impl TryFromU64 for $type {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($type)))
            }
        }
    )*};
}

text_columns! {
    ProjectId: ToString::to_string, str::parse::<ProjectId>;
    MessageId: ToString::to_string, str::parse::<MessageId>;
    RunId: ToString::to_string, str::parse::<RunId>;
    FragmentId: ToString::to_string, str::parse::<FragmentId>;
    SessionId: ToString::to_string, str::parse::<SessionId>;
    ApiTokenId: ToString::to_string, str::parse::<ApiTokenId>;
    PasskeyId: ToString::to_string, str::parse::<PasskeyId>;
    SavedPromptId: ToString::to_string, str::parse::<SavedPromptId>;
    UserId: ToString::to_string, any_user;
    ModelId: |model: &ModelId| model.as_str().to_owned(), any_model;
    ModelProvider: |provider: &ModelProvider| provider.as_str().to_owned(), str::parse::<ModelProvider>;
    AccountRole: |role: &AccountRole| role.as_str().to_owned(), str::parse::<AccountRole>;
    Plan: |plan: &Plan| plan.as_str().to_owned(), str::parse::<Plan>;
    CreditReason: |reason: &CreditReason| reason.as_str().to_owned(), str::parse::<CreditReason>;
    ProjectRole: |role: &ProjectRole| role.as_str().to_owned(), str::parse::<ProjectRole>;
    RunState: |state: &RunState| state.as_str().to_owned(), str::parse::<RunState>;
    Author: |author: &Author| author.as_str().to_owned(), str::parse::<Author>;
    Role: |role: &Role| role.as_str().to_owned(), str::parse::<Role>;
    Mode: |mode: &Mode| mode.as_str().to_owned(), str::parse::<Mode>;
    MessageKind: |kind: &MessageKind| kind.as_str().to_owned(), str::parse::<MessageKind>;
    EventName: |name: &EventName| name.as_str().to_owned(), str::parse::<EventName>;
    ImageType: |kind: &ImageType| kind.as_str().to_owned(), str::parse::<ImageType>;
    ToolDecision: |decision: &ToolDecision| decision.as_str().to_owned(), str::parse::<ToolDecision>;
    Purpose: |purpose: &Purpose| purpose.as_str().to_owned(), str::parse::<Purpose>;
    edit::Kind: |kind: &edit::Kind| kind.as_str().to_owned(), str::parse::<edit::Kind>;
    FileKind: |kind: &FileKind| kind.as_str().to_owned(), str::parse::<FileKind>;
    BlobHash: |hash: &BlobHash| hash.as_str().to_owned(), any_hash;
}

/// What the database calls the column, also where a query numbers it or joins two tables.
fn column_name<I: ColIdx>(row: &QueryResult, index: I) -> String {
    let name = index.as_str().map(str::to_owned);
    let numbered = || row.column_names().get(*index.as_usize()?).cloned();
    let name = name.or_else(numbered).unwrap_or_default();
    let bare = ["A_", "B_"]
        .iter()
        .find_map(|table| name.strip_prefix(table));
    bare.unwrap_or(&name).to_owned()
}

fn any_user(text: &str) -> Result<UserId, std::convert::Infallible> {
    Ok(UserId(text.to_owned()))
}

fn any_hash(text: &str) -> Result<BlobHash, std::convert::Infallible> {
    Ok(BlobHash::from(text.to_owned()))
}

fn any_model(text: &str) -> Result<ModelId, std::convert::Infallible> {
    Ok(ModelId::from(text.to_owned()))
}
