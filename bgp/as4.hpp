#pragma once
#include "bgp/attributes.hpp"

namespace cgw::bgp {

// RFC 6793 4.2.3: what an old speaker sent in AS_PATH and AGGREGATOR, completed by AS4_PATH and AS4_AGGREGATOR. When
// all attributes are read: they come in any order.
void merge_as4(ReadAttributes& r);

}  // namespace cgw::bgp
