#include "ipsec/key_exchange.hpp"

#include <doctest/doctest.h>

#include "octets.hpp"

namespace cgw::ipsec {
namespace {

using test::octets;

struct Known {
  DhGroup group;
  const char *source, *private_value, *public_value, *peer, *secret;
};
constexpr Known kKnown[] = {
    {DhGroup::Ecp384, "RFC 5903 8.2",
     "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
     "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa9482ed1fc0ee"
     "b9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
     "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571dcfbec7aacf3"
     "196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
     "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746"},
    {DhGroup::Ecp521, "RFC 5903 8.3",
     "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777f5957b2639ba"
     "b072462f68c27a57382d4a52",
     "0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d107564941885942af5"
     "a7f4601723c4195d176ced3e017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a788015ac405d7799d"
     "c75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3926f9582",
     "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6c2912d4ef2d0"
     "433ced2b6171640012d9460f015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b6536c5c408a1d2ae"
     "bb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a",
     "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06b3c715a3a8cc"
     "3151f2bee417996d19f3ddea"},
    {DhGroup::Modp1024s160, "RFC 5114 A.1", "b9a3b3ae8fefc1a2930496507086f8455d48943e",
     "2a853b3d92197501b9015b2deb3ed84f5e021dcc3e52f109d3273d2b7521281cbabe0e76ff5727fa8acce26956ba9a1fca26f20228d8"
     "693feb10841d84a7360054ece5a7f5b7a61ad3dfb3c60d2e43106d8727da37df9cce95b478755d06bcea8f9d45965f75a5f3d1df3701"
     "165fc9e50c4279ceb07f989540ae96d5d88ed776",
     "717a6cb053371ff4a3b932941c1e5663f861a1d6ad34ae66576dfb98f6c6cbf9ddd5a56c7833f6bcfdff095582ad868e440e8d09fd76"
     "9e3ceccdc3d3b1e4cfa057776caaf9739b6a9fee8e7411f8d6dac09d6a4edb46cc2b5d5203090eae6126311e53fd2c14b574e6a3109a"
     "3da1be41bdceaa186f5ce06716a2b6a07b3c33fe",
     "5c804f454d30d9c4df85271f93528c91df6b48ab5f80b3b59caac1b28f8acba9cd3e39f3cb614525d9521d2e644c53b807b810f34006"
     "2f257d7d6fbfe8d5e8f072e9b6e9afda9413eafb2e8b0699b1fb5a0caceddeaead7e9cfbb36ae2b420835bd83a19fb0b5e96bf8fa4d0"
     "9e345525167ecd9155416f46f408ed31b63c6e6d"},
    {DhGroup::Modp2048s224, "RFC 5114 A.2", "22e62601dbffd06708a680f747f361f76d8f4f721a0548e483294b0c",
     "1b3a63451bd886e699e67b494e288bd7f8e0d370badda7a0efd2fde7d8f66145cc9f280419975eb808877c8a4c0c8e0bd48d4a5401eb"
     "1e8776bfeee134c03831ac273cd9d635ab0ce006a42a887e3f52fb8766b650f38078bc8ee8580cefe243968cfc4f8dc3db084554171d"
     "41bf2e861b7bb4d69dd0e01ea387cbaa5ca672afcbe8bdb9d62d4ce15f17dd36f91ed1eedd65ca4a06455cb94cd40a52ec360e84b3c9"
     "26e22c4380a3bf309d56849768b7f52cfdf655fd053a7ef706979e7e5806b17dfae53ad2a5bc568ebb529a7a61d68d256f8fc97c074a"
     "861d827e2ebc8c6134553115b70e7103920aa16d85e52bcbab8d786a68178fa8ff7c2f5c71648d6f",
     "4dcee992a9762a13f2f83844ad3d77ee0e31c9718b3db6c2035d3961182c3e0ba247ec4182d760cd48d99599970622a1881bba2dc822"
     "939c78c3912c6661fa5438b20766222b75e24c2e3ad0c7287236129525ee15b5dd7998aa04c4a9696cacd7172083a97a81664ead2c47"
     "9e444e4c0654cc19e28d7703cee8dacd6126f5d665ec52c67255db92014b037eb621a2ac8e365de071ffc1400acf077a12913dd8de89"
     "473437ab7ba346743c1b215dd9c12164a7e4053118d199bec8ef6fc561170c84c87d10ee9a674a1fa8ffe13bdfba1d44de48946d68dc"
     "0cdd777635a7ab5bfb1e4bb7b856f96827734c184138e915d9c3002ebce53120546a7e2002142b6c",
     "34d9bddc1b42176c313fea034c21034d074a6313bb4ecdb3703fff424567a46bdf75530ede0a9da5229de7d76732286cbc0f91da4c3c"
     "852fc099c679531d94c78ab03d9decb0a4e4ca8b2bb4591c4021cf8ce3a20a541d33994017d0200ae2c9516e2ff5145779269e862b0f"
     "b474a2d56dc31ed569a7700b4c4ab16b22a45513531ef523d71212077b5a169bdeffad7ad9608284c7795b6d5a5183b87066de17d8d6"
     "71c9ebd8ec89544d45ec061593d442c62ab9ce3b1cb9943a1d23a5ea3bcf21a01471e67e003e7f8a69c728be490b2fc88cfeb92db6a2"
     "15e5d03c17c464c9ac1a46e203e13f952995fb03c69d3cc47fcb510b6998ffd3aa6de73cf9f63869"},
    {DhGroup::Modp2048s256, "RFC 5114 A.3", "0881382cdb87660c6dc13e614938d5b9c8b2f248581cc5e31b35454397fce50e",
     "2e9380c8323af97545bc4941deb0ec3742c62fe0ece824a6abdbe66c59bee0242911bfb967235ceba35ae13e4ec752be630b92dc4bde"
     "2847a9c62cb8152745421fb7eb60a63c0fe9159fcce726ce7cd8523d7450667ef840e4919121eb5f01c8c9b0d3d648a93bfb75689e82"
     "44ac134af544711ce79a02dcc34226684780dddcb498594106c37f5bc79856487af5ab022a2e5e42f09897c1a85a11ea0212af04d9b4"
     "cebc937c3c1a3e15a8a0342e337615c84e7fe3b8b9b87fb1e73a15af12a30d746e06dfc34f290d797ce51aa13aa785bf6658aff5e4b0"
     "93003cbeaf665b3c2e113a3a4e905269341dc0711426685f4ef37e868a8126ff3f2279b57ca67e29",
     "575f0351bd2b1b817448bdf87a6c362c1e289d3903a30b9832c5741fa250363e7acbc7f77f3dacbc1f131add8e03367eff8fbbb3e1c5"
     "784424809b25afe4d2262a1a6fd2fab64105ca30a674e07f7809852088632fc049233791ad4edd083a978b883ee618bc5e0dd047415f"
     "2d95e683cf14826b5fbe10d3ce41c6c120c78ab20008c698bf7f0bcab9d7f407bed0f43afb2970f57f8d12043963e66ddd320d599ad9"
     "936c8f44137c08b180ec5e985cebe186f3d549677e80607331ee17af3380a725b0782317d7dd43f59d7af9568a9bb63a84d365f92244"
     "ed120988219302f42924c7ca90b89d24f71b0ab697823d7deb1aff5b0e8e4a45d49f7f53757e1913",
     "86c70bf8d0bb81bb01078a17219cb7d27203db2a19c877f1d1f19fd7d77ef22546a68f005ad52dc84553b78fc60330be51ea7c0672ca"
     "c1515e4b35c047b9a551b88f39dc26da14a09ef74774d47c762dd177f9ed5bc2f11e52c879bd95098504cd9eecd8a8f9b3efbd1f008a"
     "c5853097d9d1837f2b18f77cd7be01af80a7c7b5ea3ca54cc02d0c116fee3f95bb87399385875d7e86747e676e728938acbff7098e05"
     "be4dcfb24052b83aeffb14783f029adbde7f53fae92084224090e007cee94d4bf2bace9ffd4b57d2af7c724d0caa19bf0501f6f17b4a"
     "a10f425e3ea76080b4b9d6b3cefea115b2ceb8789bb8a3b0ea87febe63b6c8f846ec6db0c26c5d7c"},
    {DhGroup::Curve25519, "RFC 7748 6.1", "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
     "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
     "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
     "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
};

constexpr DhGroup kDiffieHellman[] = {
    DhGroup::Modp1024,     DhGroup::Modp1536,     DhGroup::Modp2048,     DhGroup::Modp3072,   DhGroup::Modp4096,
    DhGroup::Modp6144,     DhGroup::Modp8192,     DhGroup::Ecp256,       DhGroup::Ecp384,     DhGroup::Ecp521,
    DhGroup::Modp1024s160, DhGroup::Modp2048s224, DhGroup::Modp2048s256, DhGroup::Curve25519,
};

bool ecp(DhGroup g) {
  return g == DhGroup::Ecp256 || g == DhGroup::Ecp384 || g == DhGroup::Ecp521;
}

// The prime of RFC 2409 6.2, less `by`.
Buffer below_modp1024(std::uint8_t by) {
  Buffer p = octets(
      "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
      "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
      "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff");
  p.back() = static_cast<std::uint8_t>(p.back() - by);
  return p;
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/key_exchange");

TEST_CASE(
    "a published key pair and a published peer yield the published secret [RFC 5114 A, RFC 5903 8, RFC 7748 6.1]") {
  for (const Known& k : kKnown) {
    CAPTURE(std::string(k.source));
    const auto ours = known_key_exchange(k.group, octets(k.private_value), octets(k.public_value));
    CHECK(ours->public_value() == octets(k.public_value));
    const auto secret = ours->shared_secret(octets(k.peer));
    REQUIRE(secret);
    CHECK(*secret == SecretBytes{Bytes(octets(k.secret))});
  }
}

TEST_CASE("initiator and responder of every group get the same secret, of the group's length") {
  OpenSslEntropy entropy;
  for (const DhGroup g : kDiffieHellman) {
    CAPTURE(to_string(g));
    CHECK(available(g));
    const auto initiator = entropy.new_key_exchange(g);
    const Buffer value = initiator->public_value();
    CHECK(value.size() == public_value_octets(g));
    const auto answer = entropy.answer_key_exchange(g, value);
    REQUIRE(answer);
    CHECK(answer->group == g);
    CHECK(answer->public_value.size() == public_value_octets(g));
    const auto secret = initiator->shared_secret(answer->public_value);
    REQUIRE(secret);
    CHECK(*secret == answer->secret);
    CHECK(secret->size() == (ecp(g) ? value.size() / 2 : value.size()));
  }
}

TEST_CASE("what is not of the group is refused by both roles [RFC 6989 2, RFC 8031 2]") {
  OpenSslEntropy entropy;
  for (const DhGroup g : kDiffieHellman) {
    CAPTURE(to_string(g));
    const auto ours = entropy.new_key_exchange(g);
    const std::size_t n = public_value_octets(g);
    Buffer zero(n, 0), one(n, 0), all_ones(n, 0xff), longer = ours->public_value(), shorter = ours->public_value();
    one[g == DhGroup::Curve25519 ? 0 : n - 1] = 1;  // little endian there; 0 and 1 have a small order
    longer.push_back(0);
    shorter.pop_back();
    std::vector<Buffer> bad{zero, one, longer, shorter, {}};
    if (g != DhGroup::Curve25519) bad.push_back(all_ones);
    for (const Buffer& value : bad) {
      CHECK(!ours->shared_secret(value));
      CHECK(!entropy.answer_key_exchange(g, value));
    }
  }
}

TEST_CASE("of MODP, p-1 and p are refused and p-2 is not [RFC 6989 2.1]") {
  const auto ours = OpenSslEntropy().new_key_exchange(DhGroup::Modp1024);
  CHECK(!ours->shared_secret(below_modp1024(0)));
  CHECK(!ours->shared_secret(below_modp1024(1)));
  CHECK(ours->shared_secret(below_modp1024(2)));
}

TEST_CASE("of RFC 5114's groups, an element outside the subgroup is refused [RFC 6989 2.2]") {
  OpenSslEntropy entropy;
  for (const DhGroup g : {DhGroup::Modp1024s160, DhGroup::Modp2048s224, DhGroup::Modp2048s256}) {
    CAPTURE(to_string(g));
    Buffer two(public_value_octets(g), 0);
    two.back() = 2;
    CHECK(!entropy.new_key_exchange(g)->shared_secret(two));
    CHECK(!entropy.answer_key_exchange(g, two));
  }
}

TEST_CASE("a point off the curve, and one whose coordinate is the field's prime, are refused [RFC 6989 2.3]") {
  OpenSslEntropy entropy;
  const auto ours = entropy.new_key_exchange(DhGroup::Ecp256);
  Buffer off = entropy.new_key_exchange(DhGroup::Ecp256)->public_value();
  off[40] ^= 1;
  CHECK(!ours->shared_secret(off));
  Buffer unreduced = octets("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
  unreduced.resize(64);
  CHECK(!ours->shared_secret(unreduced));
}

TEST_CASE("ML-KEM is there with OpenSSL 3.5, and both roles get the same secret [FIPS 203]") {
  if (!available(DhGroup::MlKem768)) {
    MESSAGE("this OpenSSL has no ML-KEM-768");
    return;
  }
  OpenSslEntropy entropy;
  const auto initiator = entropy.new_key_exchange(DhGroup::MlKem768);
  const Buffer value = initiator->public_value();
  CHECK(value.size() == public_value_octets(DhGroup::MlKem768));
  auto answer = entropy.answer_key_exchange(DhGroup::MlKem768, value);
  REQUIRE(answer);
  CHECK(*initiator->shared_secret(answer->public_value) == answer->secret);
  CHECK(!entropy.answer_key_exchange(DhGroup::MlKem768, Bytes(value).first(value.size() - 1)));
  CHECK(!entropy.answer_key_exchange(DhGroup::MlKem768, Buffer(value.size(), 0xff)));
  answer->public_value[0] ^= 1;
  CHECK(*initiator->shared_secret(answer->public_value) != answer->secret);
}

TEST_SUITE_END();
}  // namespace cgw::ipsec
