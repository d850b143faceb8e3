//! A form that is sent by script if possible, and by the browser otherwise. The input stays if the
//! server refuses it.

use leptos::{html, prelude::*, task::spawn_local};

use crate::{
    protocol::ApiError,
    ui::{
        components::{Alert, Button, INPUT, Spinner},
        erased::part,
    },
};

/// The state of a form.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    busy: RwSignal<bool>,
    refusal: RwSignal<Option<ApiError>>,
}

impl Form {
    /// With the refusal that a form sent without scripts returns with.
    pub fn new(refusal: Option<ApiError>) -> Self {
        Self {
            busy: RwSignal::new(false),
            refusal: RwSignal::new(refusal),
        }
    }

    /// Sends it unless it is being sent; `done` gets the server's answer.
    pub fn send<T: 'static>(
        self,
        request: impl Future<Output = Result<T, ApiError>> + 'static,
        done: impl FnOnce(T) + 'static,
    ) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            let answer = request.await;
            if self.busy.try_set(false).is_some() {
                return;
            }
            match answer {
                Ok(answer) => {
                    self.refusal.set(None);
                    done(answer);
                }
                Err(error) => self.refusal.set(Some(error)),
            }
        });
    }

    /// Sends it, and loads the page that the server names.
    pub fn send_and_go(self, request: impl Future<Output = Result<String, ApiError>> + 'static) {
        self.send(request, move |path| self.go(&path));
    }

    /// Loads the page.
    pub fn go(self, path: &str) {
        // Nothing more is sent until the page appears.
        self.busy.set(true);
        let _ = location().set_href(path);
    }

    /// Whether it is being sent.
    pub fn busy(self) -> Signal<bool> {
        self.busy.into()
    }

    /// Whether it is being sent.
    pub fn is_busy(self) -> RwSignal<bool> {
        self.busy
    }

    fn concerns(self, field: &'static str) -> bool {
        let refusal = self.refusal.get();
        refusal.is_some_and(|refusal| refusal.field.as_deref() == Some(field))
    }
}

/// The server's refusal.
#[component]
pub fn Refusal(form: Form) -> impl IntoView {
    part(move || match form.refusal.get() {
        Some(refusal) => view! { <Alert>{refusal.message}</Alert> }.into_any(),
        None => ().into_any(),
    })
}

/// A field with its label. `name` is its name for the server; `of` distinguishes it from a field of
/// the same name in another form of the page.
#[component]
pub fn Field(
    form: Form,
    #[prop(optional)] of: &'static str,
    label: &'static str,
    name: &'static str,
    #[prop(default = "text")] kind: &'static str,
    autocomplete: &'static str,
    #[prop(optional, into)] value: String,
    #[prop(optional)] hint: &'static str,
    #[prop(default = true)] required: bool,
    #[prop(optional)] autofocus: bool,
    #[prop(optional)] readonly: bool,
    node_ref: NodeRef<html::Input>,
) -> impl IntoView {
    let id = format!("field-{of}{name}");
    let hint_id = format!("hint-{of}{name}");
    let invalid = Memo::new(move |_| form.concerns(name));
    Effect::new(move || {
        if let (true, Some(field)) = (invalid.get(), node_ref.get_untracked()) {
            let _ = field.focus();
        }
    });
    view! {
        <div class="flex flex-col gap-1.5">
            <label for=id.clone() class="text-sm font-medium">{label}</label>
            <input
                node_ref=node_ref
                id=id
                name=name
                type=kind
                autocomplete=autocomplete
                required=required
                autofocus=autofocus
                readonly=readonly
                value=value
                spellcheck="false"
                autocapitalize="none"
                class=INPUT
                aria-invalid=move || invalid.get().then_some("true")
                aria-describedby=(!hint.is_empty()).then(|| hint_id.clone())
            />
            {(!hint.is_empty()).then(|| view! { <p id=hint_id class="text-xs leading-5 text-muted-foreground">{hint}</p> })}
        </div>
    }
}

/// The button that sends the form.
#[component]
pub fn Submit(form: Form, label: &'static str) -> impl IntoView {
    view! {
        <Button submit=true disabled=form.busy>
            {part(move || if form.busy.get() { view! { <Spinner/> }.into_any() } else { ().into_any() })}
            {label}
        </Button>
    }
}

/// The field's content.
pub fn value(field: NodeRef<html::Input>) -> String {
    field
        .get_untracked()
        .map(|field| field.value())
        .unwrap_or_default()
}
