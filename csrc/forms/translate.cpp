// Splits an offset into plain bytes into steps along groups of dimensions, which have one stride in either order.
#include "forms/translate.h"

#include <algorithm>

namespace ipex::forms {

namespace {

// Neighbouring dimensions that are one dimension in the plain and in the physical order, such as height and width of a
// channels-last image. Stepping along it by `plain` elements here is stepping by `physical` elements there.
struct Group {
  int64_t size;
  int64_t plain;
  int64_t physical;
};

struct Groups {
  std::array<Group, onednn::Layout::kMaxRank> items;
  int count = 0;
};

// By falling plain stride.
Groups groups_of(const onednn::Layout& plain, const onednn::Layout& layout) {
  std::array<int, onednn::Layout::kMaxRank> order;
  int rank = 0;
  for (int dim = 0; dim < plain.rank; ++dim)
    if (plain.sizes[dim] != 1)
      order[rank++] = dim;
  std::stable_sort(
      order.begin(), order.begin() + rank, [&](int a, int b) { return plain.strides[a] > plain.strides[b]; });
  Groups groups;
  for (int i = 0; i < rank; ++i) {
    const int dim = order[i];
    Group* last = groups.count ? &groups.items[groups.count - 1] : nullptr;
    if (last && last->plain == plain.sizes[dim] * plain.strides[dim] &&
        last->physical == plain.sizes[dim] * layout.strides[dim]) {
      last->size *= plain.sizes[dim];
      last->plain = plain.strides[dim];
      last->physical = layout.strides[dim];
    } else {
      groups.items[groups.count++] = {plain.sizes[dim], plain.strides[dim], layout.strides[dim]};
    }
  }
  return groups;
}

} // namespace

std::optional<Place> translate(
    const onednn::Layout& plain,
    const onednn::Layout& layout,
    c10::IntArrayRef sizes,
    c10::IntArrayRef strides,
    int64_t offset) {
  if (sizes.size() > static_cast<size_t>(onednn::Layout::kMaxRank))
    return std::nullopt;
  const Groups groups = groups_of(plain, layout);
  Place place;
  place.layout.dtype = layout.dtype;
  place.layout.rank = static_cast<int32_t>(sizes.size());

  std::array<int64_t, onednn::Layout::kMaxRank> last{}; // the last position along each group that the view reaches
  for (int g = 0; g < groups.count; ++g) {
    last[g] = offset / groups.items[g].plain;
    offset -= last[g] * groups.items[g].plain;
    place.offset += last[g] * groups.items[g].physical;
  }
  if (offset != 0)
    return std::nullopt;
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    place.layout.sizes[dim] = sizes[dim];
    if (sizes[dim] == 0)
      return std::nullopt;
    if (sizes[dim] == 1 || strides[dim] == 0) {
      place.layout.strides[dim] = strides[dim] == 0 ? 0 : 1;
      continue;
    }
    bool found = false;
    for (int g = 0; g < groups.count && !found; ++g) { // the coarsest group that the stride is a multiple of
      const Group& group = groups.items[g];
      const int64_t steps = strides[dim] / group.plain;
      if (steps == 0 || steps * group.plain != strides[dim] || steps >= group.size)
        continue;
      place.layout.strides[dim] = steps * group.physical;
      last[g] += steps * (sizes[dim] - 1);
      found = true;
    }
    if (!found)
      return std::nullopt;
  }
  for (int g = 0; g < groups.count; ++g)
    if (last[g] >= groups.items[g].size)
      return std::nullopt;
  return place;
}

} // namespace ipex::forms
