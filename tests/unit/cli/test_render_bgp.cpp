// BGP routes as FRR shows them: its own JSON in, its own text out (8.4.4, captured from one process).
#include <doctest/doctest.h>

#include <string>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "cli/render.hpp"
#include "tests/unit/cli/cli_bench.hpp"

namespace {

using namespace cgw::cli;
using cgw::test::content;
namespace json = boost::json;

std::string text(const std::string& name) {
  return content(TEST_FOLDER "/frr-8.4.4/" + name + ".txt");
}
json::value tree(const std::string& name) {
  return json::parse(content(TEST_FOLDER "/frr-8.4.4/" + name + ".json"));
}
// FRR's JSON does not say how many paths its table has.
json::value table(const std::string& name, int paths) {
  json::value v = tree(name);
  v.as_object()["totalPaths"] = paths;
  return v;
}

}  // namespace

TEST_CASE("show bgp ipv4|ipv6 unicast is FRR's, character for character") {
  CHECK(render_bgp_table(table("bgp_table", 11)) == text("bgp_table"));
  CHECK(render_bgp_table(table("bgp_table_v6", 4)) == text("bgp_table_v6"));
  CHECK(render_bgp_table(table("bgp_neighbor_routes", 11)) == text("bgp_neighbor_routes"));
}

TEST_CASE("show bgp ipv4|ipv6 unicast PREFIX is FRR's, character for character") {
  for (const char* name :
       {"bgp_prefix_reflected", "bgp_prefix_communities", "bgp_prefix_local", "bgp_prefix_invalid", "bgp_prefix_v6"}) {
    CAPTURE(name);
    CHECK(render_bgp_prefix(tree(name)) == text(name));
  }
  CHECK(render_bgp_prefix(json::parse("{}")) == "% Network not in table\n");
}

TEST_CASE("a neighbor's advertised, received and filtered routes are FRR's, character for character") {
  for (const char* name : {"bgp_advertised", "bgp_received", "bgp_filtered"}) {
    CAPTURE(name);
    CHECK(render_bgp_neighbor_routes(tree(name)) == text(name));
  }
  CHECK(render_bgp_neighbor_routes(json::parse(R"({"warning":"No such neighbor in this view/vrf"})")) ==
        "No such neighbor in this view/vrf\n");
}

TEST_CASE("well-known communities that limit a route's way are told with it") {
  const auto line = [](const char* word) {
    json::value v = tree("bgp_prefix_communities");
    v.at("paths").at(0).at("community").at("list") = json::array{word};
    const auto all = render_bgp_prefix(v);
    return all.substr(all.find("Paths"), all.find('\n', all.find("Paths")) - all.find("Paths"));
  };
  CHECK(line("noAdvertise") == "Paths: (1 available, best #1, table default, not advertised to any peer)");
  CHECK(line("localAs") == "Paths: (1 available, best #1, table default, not advertised outside local AS)");
  CHECK(line("65000:1") == "Paths: (1 available, best #1, table default)");
}

TEST_CASE("routes that were too many to show are counted") {
  json::value v = table("bgp_table", 11);
  v.as_object()["notDisplayed"] = 7;
  CHECK(render_bgp_table(v).ends_with("total paths\n7 more routes are there: ask for them by prefix\n"));
  CHECK(render_bgp_table(json::parse(R"({"totalRoutes":3,"routes":{}})")) == "No BGP prefixes displayed, 3 exist\n");
}

TEST_CASE("a tree of another shape is rendered as empty, never an error") {
  for (const char* words : {"null", "[]", "7", R"({"routes":[7],"paths":7})", R"({"routes":{"10.0.0.0/8":7,"x":[]}})",
                            R"({"paths":[7,{"nexthops":7}],"advertisedTo":7})", R"({"receivedRoutes":{"::/0":[]}})"}) {
    const json::value v = json::parse(words);
    CHECK(!render_bgp_table(v).empty());
    CHECK(!render_bgp_prefix(v).empty());
    CHECK(!render_bgp_neighbor_routes(v).empty());
  }
}
