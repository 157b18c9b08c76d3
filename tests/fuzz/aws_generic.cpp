// AWS's text for vendor Generic.
#include "tests/fuzz/aws_any.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cgw::fuzz::import_anything(data, size);
  return 0;
}
