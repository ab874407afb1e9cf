// Asks descriptors for sizes and post-ops.
#include "onednn/details.h"

#include <dnnl_debug.h>

#include <cstring>

#include "onednn/engine.h"

namespace ipex::onednn {

namespace {

// DNNL_ARG_* of operands that a primitive writes, and of factors.
bool is_read(int id) {
  if (id >= DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE)
    return true;
  if (id >= DNNL_ARG_ATTR_SCALES || id == DNNL_ARG_SCRATCHPAD)
    return false;
  const bool is_dst = id >= DNNL_ARG_DST && id < DNNL_ARG_WEIGHTS;
  const bool is_diff = id >= DNNL_ARG_DIFF_SRC, is_diff_dst = id >= DNNL_ARG_DIFF_DST && id < DNNL_ARG_DIFF_WEIGHTS;
  return !is_dst && (!is_diff || is_diff_dst);
}

profile::Operand operand_of(const dnnl::memory::desc& desc) {
  const auto sizes = desc.get_dims();
  profile::Operand operand{scalar_type(desc.get_data_type()), {sizes.begin(), sizes.end()}};
  if (desc.get_format_kind() == dnnl::memory::format_kind::blocked && desc.get_inner_nblks() == 0) {
    const auto strides = desc.get_strides();
    operand.strides.assign(strides.begin(), strides.end());
  }
  return operand;
}

// "eltwise_relu" -> "relu"
std::string short_name(dnnl::algorithm algorithm) {
  const char* name = dnnl_alg_kind2str(dnnl::convert_to_c(algorithm));
  const char* end = std::strchr(name, '_');
  return end ? end + 1 : name;
}

std::string name_of(const dnnl::post_ops& all, int index) {
  auto algorithm = dnnl::algorithm::undef;
  float alpha = 0, beta = 0;
  dnnl::memory::desc operand;
  switch (all.kind(index)) {
    case dnnl::primitive::kind::eltwise:
      all.get_params_eltwise(index, algorithm, alpha, beta);
      return short_name(algorithm);
    case dnnl::primitive::kind::binary:
      all.get_params_binary(index, algorithm, operand);
      return short_name(algorithm);
    case dnnl::primitive::kind::sum:
      return "sum";
    default:
      return "other";
  }
}

} // namespace

profile::Operand operand_of(const Layout& layout) {
  const auto sizes = layout.sizes_ref(), strides = layout.strides_ref();
  return {scalar_type(layout.dtype), c10::DimVector(sizes), c10::DimVector(strides)};
}

profile::Details details_of(const dnnl::primitive_desc_base& desc, c10::ArrayRef<Argument> arguments) {
  profile::Details details;
  for (const Argument& argument : arguments) {
    if (argument.data == nullptr || !is_read(argument.id))
      continue;
    const auto known = desc.query_md(dnnl::query::exec_arg_md, argument.id);
    if (!known.is_zero())
      details.operands.push_back(operand_of(known));
  }
  const dnnl::post_ops all = desc.get_primitive_attr().get_post_ops();
  for (int i = 0; i < all.len(); ++i)
    details.post_ops.append(i == 0 ? "" : "+").append(name_of(all, i));
  return details;
}

} // namespace ipex::onednn
