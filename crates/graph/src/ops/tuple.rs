//! Taking one result of a node that has several.

use abeyance_ir::{
    AttributeSet, DTypes, Fault, Inference, ItemAttributes, Lowered, Lowering, OperandSpec,
    Operator, Packing, Sample, Signature, Type,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::{elementwise, elementwise_chunk};

use crate::Expr;

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Item];

/// One result of a node that has several. Gradient: the cotangent, for that result.
pub struct Item;

impl Operator for Item {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::apart("tuple", DTypes::ANY)];
        const {
            &Signature::new("item", "one result of a node that has several", OPERANDS)
                .attributes(ItemAttributes::SPECS)
                .of_tuple()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ItemAttributes { index } = cx.attributes();
        match usize::try_from(index).ok().filter(|&index| index < cx.operands()) {
            Some(index) => cx.tensor(cx.dtype(index), cx.shape(index)),
            None => Err(Fault::new(format!("there is no item {index} among {}", cx.operands()))),
        }
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        if cx.operands.len() == 1 {
            return Ok(Lowered::Alias(0));
        }
        let ItemAttributes { index } = cx.attributes();
        let packing = Packing::new(cx.operands)
            .ok_or_else(|| Fault::new("the tuple is larger than any memory"))?;
        let range = packing.range(index as usize);
        let cost = Cost { flops: 0.0, bytes: 2.0 * range.len() as f64 };
        let chunk = elementwise_chunk(range.len(), 2);
        Ok(Kernel::single(1, chunk, cost, move |call| {
            let start = call.start::<u8>();
            let tuple = call.input::<u8>(0);
            elementwise::copy(&tuple[range.clone()], call.output(), start);
            Ok(())
        })
        .into())
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

impl<'g> Expr<'g> {
    /// One of the results of a node that has several.
    pub fn item(self, index: usize) -> Self {
        self.apply(&Item, ItemAttributes { index: index as i64 })
    }

    /// Each of the results, named behind the node; a single result is the node itself.
    pub fn items(self, names: &[String]) -> Vec<Expr<'g>> {
        if names.len() == 1 {
            return vec![self];
        }
        self.graph(|graph| {
            let own = graph.node(self.id()).name.clone();
            let own = own.strip_prefix(&*graph.context().scope).unwrap_or(&own);
            let item = |(index, name): (usize, &String)| {
                let attributes = ItemAttributes { index: index as i64 };
                self.at(graph.add_like(&format!("{own}/{name}"), &Item, &[self.id()], attributes))
            };
            names.iter().enumerate().map(item).collect()
        })
    }
}
