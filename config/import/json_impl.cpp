// Boost.JSON compiled once for the programs that this library is part of.
#include <boost/json/src.hpp>
