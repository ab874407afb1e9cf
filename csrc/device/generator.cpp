// A generator of the ipex device that delegates everything to a CPU generator of its own.
#include "device/generator.h"

#include <ATen/CPUGeneratorImpl.h>

#include "core/device.h"

namespace ipex {

namespace {

struct DeviceGenerator final : public c10::GeneratorImpl {
  explicit DeviceGenerator(at::Generator inner)
      : c10::GeneratorImpl(kDevice, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)),
        cpu(std::move(inner)) {}

  void set_current_seed(uint64_t seed) override {
    cpu.set_current_seed(seed);
  }

  // Pickling asks for an offset and sets it again, except on CPU generators, which have none.
  void set_offset(uint64_t offset) override {
    IPEX_CHECK(offset == 0, E103, "set_offset", "got ", offset, "; the generator has no offset, accepted: 0");
  }

  uint64_t get_offset() const override {
    return 0;
  }

  uint64_t current_seed() const override {
    return cpu.current_seed();
  }

  uint64_t seed() override {
    return cpu.seed();
  }

  void set_state(const c10::TensorImpl& state) override {
    cpu.unsafeGetGeneratorImpl()->set_state(state);
  }

  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return cpu.unsafeGetGeneratorImpl()->get_state();
  }

  DeviceGenerator* clone_impl() const override {
    return new DeviceGenerator(cpu.clone());
  }

  at::Generator cpu;
};

} // namespace

at::Generator& default_generator() {
  static auto* instance = new at::Generator(make_generator());
  return *instance;
}

at::Generator make_generator() {
  return at::make_generator<DeviceGenerator>(at::detail::createCPUGenerator());
}

at::Generator cpu_generator(const at::Generator& generator) {
  if (!generator.defined())
    return generator;
  IPEX_CHECK(
      generator.device().type() == kDeviceType,
      E102,
      "generator",
      "Expected a generator on ",
      kDevice,
      " like the tensors, got one on ",
      generator.device());
  return static_cast<DeviceGenerator*>(generator.unsafeGetGeneratorImpl())->cpu;
}

} // namespace ipex
