// Epilogue: what a primitive does to each value before it writes it (oneDNN's post-ops), as plain bytes for a key.
#pragma once

#include <dnnl.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "onednn/layout.h"

namespace ipex::onednn {

struct Epilogue {
  static constexpr int32_t kMost = 8;

  enum Operand : int32_t { kNone, kPerChannel, kFull }; // of a binary post-op: [C] in f32, or lying as dst does

  struct Entry {
    int32_t algorithm = 0; // dnnl::algorithm
    int32_t operand = kNone;
    uint32_t alpha = 0; // bits of the parameters; of a binary post-op, the type of its operand
    uint32_t beta = 0;
  };

  int32_t count = 0;
  int32_t unused = 0; // keys have no padding
  std::array<Entry, kMost> entries{};

  bool append(dnnl::algorithm algorithm, Operand operand, dnnl::memory::data_type dtype) {
    return append({static_cast<int32_t>(algorithm), operand, static_cast<uint32_t>(dtype), 0});
  }
  bool append(dnnl::algorithm algorithm, float alpha, float beta) {
    return append(
        {static_cast<int32_t>(algorithm), kNone, std::bit_cast<uint32_t>(alpha), std::bit_cast<uint32_t>(beta)});
  }

  bool has_activation() const {
    return std::any_of(
        entries.begin(), entries.begin() + count, [](const Entry& entry) { return entry.operand == kNone; });
  }

  // DNNL_ARG_* of the operand of entry `index`.
  static int argument(int index) {
    return DNNL_ARG_ATTR_MULTIPLE_POST_OP(index) | DNNL_ARG_SRC_1;
  }

  // `attributes` with these post-ops, for a primitive that writes `dst`, channels being dimension 1.
  dnnl::primitive_attr add_to(const dnnl::primitive_attr& attributes, const Layout& dst) const {
    if (count == 0)
      return attributes;
    dnnl::post_ops all;
    for (int32_t i = 0; i < count; ++i) {
      const auto algorithm = static_cast<dnnl::algorithm>(entries[i].algorithm);
      if (entries[i].operand == kNone)
        all.append_eltwise(algorithm, std::bit_cast<float>(entries[i].alpha), std::bit_cast<float>(entries[i].beta));
      else
        all.append_binary(algorithm, operand_desc(entries[i], dst));
    }
    dnnl::primitive_attr own(attributes);
    own.set_post_ops(all);
    return own;
  }

 private:
  bool append(Entry entry) {
    if (count == kMost)
      return false;
    entries[count++] = entry;
    return true;
  }

  static dnnl::memory::desc operand_desc(const Entry& entry, const Layout& dst) {
    const auto dtype = static_cast<dnnl::memory::data_type>(entry.alpha);
    if (entry.operand == kFull) {
      Layout layout = dst;
      layout.dtype = dtype;
      return layout.desc();
    }
    std::array<int64_t, Layout::kMaxRank> sizes;
    sizes.fill(1);
    sizes[1] = dst.sizes[1];
    return Layout::dense(dtype, {sizes.data(), static_cast<size_t>(dst.rank)}).desc();
  }
};

} // namespace ipex::onednn
