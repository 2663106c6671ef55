//! Measures what a component makes when it is compiled and instantiated. A few bytes can make very much of it: a
//! component that instantiates the one before it twice doubles with every step.

use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentType, ComponentTypeDeclaration, ComponentTypeRef, CompositeInnerType, CoreType, ElementItems, Encoding,
    Instance, InstanceTypeDeclaration, Payload, TypeRef,
};

use super::admission_error::AdmissionErrorKind;
use super::limits::{
    Limits, MAX_DEFINITIONS, MAX_FUNCTION_BYTES, MAX_FUNCTIONS, MAX_INSTANCES, MAX_LOCALS, MAX_MODULE_MEMORIES,
    MAX_MODULES, MAX_NESTING, MAX_RESULTS, MAX_TABLE_ELEMENTS, MAX_TYPES,
};

/// Bytes of data segments that count as one definition: about the time to copy them into a memory.
const DATA_BYTES_PER_DEFINITION: usize = 1 << 10;

/// What one instantiation of a component or module makes, everything inside it included.
#[derive(Clone, Copy, Default)]
struct InstantiationCost {
    /// Components and core modules that are instantiated.
    instances: u64,
    /// Definitions that the host processes or allocates for these instances.
    definitions: u64,
}

impl InstantiationCost {
    fn add(&mut self, other: Self) {
        self.instances = self.instances.saturating_add(other.instances);
        self.definitions = self.definitions.saturating_add(other.definitions);
    }
}

/// A component or module whose end has not been read. A cost of `None` is unknown until run time.
struct OpenFrame {
    encoding: Encoding,
    cost: InstantiationCost,
    memories: u64,
    components: Vec<Option<InstantiationCost>>,
    modules: Vec<Option<InstantiationCost>>,
}

/// The measurements of a component, payload by payload.
#[derive(Default)]
pub(super) struct Structure {
    open: Vec<OpenFrame>,
    functions: u64,
    locals: u64,
    modules: u64,
    types: u64,
    table_elements: u64,
    memories: u64,
    tables: u64,
    /// What one instantiation of the whole makes.
    whole: InstantiationCost,
}

/// How much there is of something that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructureTotal {
    /// What is counted.
    pub what: &'static str,
    /// How much there is.
    pub found: u64,
    /// The limit.
    pub limit: u64,
}

impl Structure {
    /// The totals of a whole component, with their limits. Memories and tables are those that its modules define; a run
    /// limits those that their instances make.
    pub(super) fn totals(&self) -> Vec<StructureTotal> {
        let run = Limits::default();
        let total = |what, found, limit| StructureTotal { what, found, limit };
        vec![
            total("functions", self.functions, MAX_FUNCTIONS),
            total("types", self.types, MAX_TYPES),
            total("local variables", self.locals, MAX_LOCALS),
            total("core modules", self.modules, MAX_MODULES),
            total("instances", self.whole.instances, MAX_INSTANCES),
            total("definitions", self.whole.definitions, MAX_DEFINITIONS),
            total("memories", self.memories, run.memories as u64),
            total("tables", self.tables, run.tables as u64),
            total("table elements", self.table_elements, MAX_TABLE_ELEMENTS),
        ]
    }

    /// The number of enclosing components, with the one that is read.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Adds the next payload, and checks every limit.
    pub(super) fn add(&mut self, payload: &Payload<'_>) -> Result<(), AdmissionErrorKind> {
        match payload {
            Payload::Version { encoding, .. } => self.start(*encoding)?,
            Payload::End(_) => self.end(),
            Payload::CodeSectionEntry(body) => {
                count(&mut self.functions, 1, "functions", MAX_FUNCTIONS)?;
                check_limit("bytes in one function", body.range().len() as u64, MAX_FUNCTION_BYTES)?;
                for local in body.get_locals_reader()? {
                    let (locals, _) = local?;
                    count(&mut self.locals, locals.into(), "local variables", MAX_LOCALS)?;
                }
            }
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    for of_type in group?.types() {
                        count(&mut self.types, 1, "types", MAX_TYPES)?;
                        if let CompositeInnerType::Func(function) = &of_type.composite_type.inner {
                            check_limit("results of one function", function.results().len() as u64, MAX_RESULTS)?;
                        }
                    }
                }
            }
            Payload::CoreTypeSection(section) => {
                for of_type in section.clone() {
                    let types = match of_type? {
                        CoreType::Rec(_) => 1,
                        CoreType::Module(declarations) => declarations.len(),
                    };
                    count(&mut self.types, types as u64, "types", MAX_TYPES)?;
                }
            }
            Payload::ComponentTypeSection(section) => {
                for of_type in section.clone() {
                    count(&mut self.types, declarations(&of_type?), "types", MAX_TYPES)?;
                }
            }
            Payload::TableSection(section) => {
                self.define(section.count());
                self.tables = self.tables.saturating_add(section.count().into());
                for table in section.clone() {
                    let elements = table?.ty.initial;
                    count(&mut self.table_elements, elements, "elements of tables", MAX_TABLE_ELEMENTS)?;
                }
            }
            Payload::ImportSection(section) => {
                self.define(section.count());
                for import in section.clone().into_imports() {
                    if let TypeRef::Memory(_) = import?.ty {
                        self.add_memories(1)?;
                    }
                }
            }
            Payload::MemorySection(section) => {
                self.memories = self.memories.saturating_add(section.count().into());
                self.add_memories(section.count())?;
            }
            Payload::FunctionSection(section) => self.define(section.count()),
            Payload::GlobalSection(section) => self.define(section.count()),
            Payload::ExportSection(section) => self.define(section.count()),
            Payload::ElementSection(section) => {
                for element in section.clone() {
                    self.define(match element?.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    });
                }
            }
            Payload::DataSection(section) => {
                for data in section.clone() {
                    self.define_many(1 + data?.data.len() / DATA_BYTES_PER_DEFINITION);
                }
            }
            Payload::ComponentCanonicalSection(section) => self.define(section.count()),
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    match instance? {
                        Instance::Instantiate { module_index, args } => {
                            self.define_many(args.len());
                            self.instantiate(|frame| frame.modules.get(module_index as usize).copied().flatten())?;
                        }
                        Instance::FromExports(exports) => self.define_many(1 + exports.len()),
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    match instance? {
                        ComponentInstance::Instantiate { component_index, args } => {
                            self.define_many(args.len());
                            let index = component_index as usize;
                            self.instantiate(|frame| frame.components.get(index).copied().flatten())?;
                        }
                        ComponentInstance::FromExports(exports) => self.define_many(1 + exports.len()),
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                self.define(section.count());
                for alias in section.clone() {
                    self.alias(&alias?);
                }
            }
            Payload::ComponentImportSection(section) => {
                self.define(section.count());
                for import in section.clone() {
                    match import?.ty {
                        ComponentTypeRef::Component(_) => self.push(ComponentExternalKind::Component, None),
                        ComponentTypeRef::Module(_) => self.push(ComponentExternalKind::Module, None),
                        _ => {}
                    }
                }
            }
            // An export has an index of its own.
            Payload::ComponentExportSection(section) => {
                self.define(section.count());
                for export in section.clone() {
                    let export = export?;
                    let cost = self.open.last().and_then(|frame| frame.cost_of(export.kind, export.index));
                    self.push(export.kind, cost);
                }
            }
            _ => {}
        }
        match self.open.last() {
            Some(OpenFrame { cost, .. }) => {
                check_limit("instances of components and modules", cost.instances, MAX_INSTANCES)?;
                check_limit("definitions in all instances", cost.definitions, MAX_DEFINITIONS)
            }
            None => Ok(()),
        }
    }

    fn start(&mut self, encoding: Encoding) -> Result<(), AdmissionErrorKind> {
        let cost = InstantiationCost { instances: 1, definitions: 1 };
        self.open.push(OpenFrame { encoding, cost, memories: 0, components: Vec::new(), modules: Vec::new() });
        check_limit("levels of nested components", self.open.len() as u64, MAX_NESTING)?;
        if encoding == Encoding::Module {
            count(&mut self.modules, 1, "core modules", MAX_MODULES)?;
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some(closed) = self.open.pop() {
            self.whole = closed.cost;
            let kind = match closed.encoding {
                Encoding::Module => ComponentExternalKind::Module,
                Encoding::Component => ComponentExternalKind::Component,
            };
            self.push(kind, Some(closed.cost));
        }
    }

    /// The engine allows several memories in a module for its own adapters, but a plugin has one.
    fn add_memories(&mut self, memories: u32) -> Result<(), AdmissionErrorKind> {
        match self.open.last_mut() {
            Some(frame) => count(&mut frame.memories, memories.into(), "memories in one module", MAX_MODULE_MEMORIES),
            None => Ok(()),
        }
    }

    fn define(&mut self, definitions: u32) {
        self.define_many(definitions as usize);
    }

    fn define_many(&mut self, definitions: usize) {
        if let Some(frame) = self.open.last_mut() {
            frame.cost.add(InstantiationCost { instances: 0, definitions: definitions as u64 });
        }
    }

    fn instantiate(
        &mut self,
        cost: impl FnOnce(&OpenFrame) -> Option<InstantiationCost>,
    ) -> Result<(), AdmissionErrorKind> {
        if let Some(frame) = self.open.last_mut() {
            let cost = cost(frame).ok_or(AdmissionErrorKind::Uncountable)?;
            frame.cost.add(cost);
        }
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::Outer { kind, count, index } => {
                let kind = match kind {
                    ComponentOuterAliasKind::Component => ComponentExternalKind::Component,
                    ComponentOuterAliasKind::CoreModule => ComponentExternalKind::Module,
                    ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => return,
                };
                let outer = self.open.iter().rev().nth(*count as usize);
                let cost = outer.and_then(|outer| outer.cost_of(kind, *index));
                self.push(kind, cost);
            }
            ComponentAlias::InstanceExport { kind, .. } => self.push(*kind, None),
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }

    /// Adds a component or module to the index space of the innermost component.
    fn push(&mut self, kind: ComponentExternalKind, cost: Option<InstantiationCost>) {
        if let Some(frame) = self.open.last_mut() {
            match kind {
                ComponentExternalKind::Component => frame.components.push(cost),
                ComponentExternalKind::Module => frame.modules.push(cost),
                _ => {}
            }
        }
    }
}

impl OpenFrame {
    fn cost_of(&self, kind: ComponentExternalKind, index: u32) -> Option<InstantiationCost> {
        let costs = match kind {
            ComponentExternalKind::Component => &self.components,
            ComponentExternalKind::Module => &self.modules,
            _ => return None,
        };
        costs.get(index as usize).copied().flatten()
    }
}

/// The number of declarations in a type of a component or instance, itself included. The parser limits the nesting.
fn declarations(of_type: &ComponentType<'_>) -> u64 {
    let inside: u64 = match of_type {
        ComponentType::Component(inside) => inside
            .iter()
            .map(|declaration| match declaration {
                ComponentTypeDeclaration::Type(of_type) => declarations(of_type),
                _ => 1,
            })
            .sum(),
        ComponentType::Instance(inside) => inside
            .iter()
            .map(|declaration| match declaration {
                InstanceTypeDeclaration::Type(of_type) => declarations(of_type),
                _ => 1,
            })
            .sum(),
        _ => 0,
    };
    1 + inside
}

impl From<BinaryReaderError> for AdmissionErrorKind {
    fn from(error: BinaryReaderError) -> Self {
        Self::Invalid(sanitize(&error.to_string(), MESSAGE_BYTES))
    }
}

fn count(total: &mut u64, more: u64, what: &'static str, limit: u64) -> Result<(), AdmissionErrorKind> {
    *total = total.saturating_add(more);
    check_limit(what, *total, limit)
}

fn check_limit(what: &'static str, found: u64, limit: u64) -> Result<(), AdmissionErrorKind> {
    if found > limit { Err(AdmissionErrorKind::Excessive { what, found, limit }) } else { Ok(()) }
}
