/*-------------------------------------------------------------------------
 *
 * ecgen_shop.c
 *	  The shop that ecgen imitates: shares, prices and brands by category.
 *
 * Plain data, one entry for each category code: how many thousand events of
 * the shop's two months (October and November 2019) it has, how many
 * category_ids carry it, average, lowest and highest price, how many of its
 * events name no brand, its largest brands.  The big ones are the figures
 * of the published totals, the small ones estimates from the first hours.
 *
 *-------------------------------------------------------------------------
 */
#include "tools/ecgen.h"

const EcShopCode ec_shop_codes[] = {
	{"accessories.bag", 540, 7, 6136, 332, 56275, 148,
	 "karya:225 xiaomi:72 baden:67 lenovo:43 continent:38 rivacase:38 fisherman:33 "
	 "ritmix:33"},
	{"accessories.umbrella", 16, 1, 2556, 2293, 4113, 0, "xiaomi:500 hoco:333 fabretti:167"},
	{"accessories.wallet", 122, 1, 6074, 1389, 68779, 43,
	 "karya:617 picard:170 petek:128 muqajankz:43"},
	{"apparel.belt", 8, 1, 3381, 2085, 8401, 333, "bond:333 petek:333"},
	{"apparel.costume", 153, 3, 9461, 3474, 30473, 700,
	 "nike:119 conceptclub:51 daneildesch:17 jordan:17"},
	{"apparel.dress", 54, 2, 6496, 2525, 68368, 143,
	 "conceptclub:476 mltl:238 annaanna:48 persona:48"},
	{"apparel.jacket", 3, 1, 5043, 4538, 8068, 0, "aivengo:1000"},
	{"apparel.jeans", 34, 1, 4901, 2849, 10214, 700, ""},
	{"apparel.jumper", 8, 1, 14749, 2756, 59718, 0, "conceptclub:333 didistyle:333 weekend:333"},
	{"apparel.scarf", 5, 1, 2162, 1598, 4076, 0, "fabretti:1000"},
	{"apparel.shirt", 31, 2, 6931, 2664, 20592, 0, "dion:500 jordan:333 harley-davidson:167"},
	{"apparel.shoes", 2400, 12, 9027, 2131, 28695, 196,
	 "respect:226 baden:102 rieker:77 salamander:77 shagovita:57 greyder:35 fassen:29 "
	 "nexpero:26 rooman:26 burgerschuhe:24"},
	{"apparel.shoes.ballet_shoes", 8, 1, 2814, 1251, 6795, 333, "caprice:333 respect:333"},
	{"apparel.shoes.espadrilles", 8, 1, 2265, 2038, 3624, 0, "rieker:1000"},
	{"apparel.shoes.keds", 983, 4, 8200, 2316, 30858, 150,
	 "respect:129 strobbs:92 nike:89 adidas:87 nexpero:71 asics:58 baden:47 fila:47 "
	 "puma:47 reebok:37"},
	{"apparel.shoes.moccasins", 44, 2, 7824, 3382, 17297, 0,
	 "etor:588 destra:176 caprice:118 greyder:59"},
	{"apparel.shoes.sandals", 83, 2, 3739, 2015, 10008, 31,
	 "rieker:563 respect:156 indiana:63 salamander:63"},
	{"apparel.shoes.slipons", 52, 2, 5424, 1251, 15238, 150,
	 "bugatti:250 greyder:250 nexpero:100 caprice:50"},
	{"apparel.shoes.step_ins", 13, 1, 3830, 2664, 7001, 0, "greyder:600 nike:200 rieker:200"},
	{"apparel.skirt", 3, 1, 1673, 1505, 2676, 700, ""},
	{"apparel.sock", 10, 1, 10861, 1966, 33483, 250, "chicco:250 cybex:250 egg:250"},
	{"apparel.trousers", 31, 2, 5384, 1505, 21004, 250,
	 "sly:250 jordan:167 nike:167 conceptclub:83"},
	{"apparel.tshirt", 41, 2, 2906, 347, 7208, 313,
	 "goodloot:313 nike:188 crockid:63 harley-davidson:63"},
	{"apparel.underwear", 78, 1, 2343, 861, 7412, 0, "milavitsa:833 obsessive:133 jasmine:33"},
	{"appliances.environment.air_conditioner", 225, 1, 30210, 11581, 257404, 46,
	 "elenberg:333 tcl:264 almacom:115 midea:57 atlantic:46 mdv:23 panasonic:23 "
	 "samsung:23"},
	{"appliances.environment.air_heater", 998, 1, 4484, 693, 39229, 122,
	 "oasis:267 elenberg:142 ballu:119 electrolux:96 midea:60 timberk:44 hyundai:26 "
	 "almacom:21 willmark:21 polaris:18"},
	{"appliances.environment.fan", 3, 1, 1413, 1271, 2260, 0, "elenberg:1000"},
	{"appliances.environment.vacuum", 2420, 4, 17007, 2124, 151352, 49,
	 "samsung:223 xiaomi:99 bosch:86 karcher:75 vitek:71 thomas:51 elenberg:47 "
	 "dauscher:39 tefal:39 philips:35"},
	{"appliances.environment.water_heater", 460, 1, 11474, 2293, 102124, 73,
	 "ariston:455 thermex:107 artel:101 aqua:67 haier:45 klima:34 electrolux:28 "
	 "teploross:22"},
	{"appliances.iron", 419, 1, 5295, 878, 61772, 0,
	 "tefal:204 redmond:142 elenberg:130 scarlett:105 vitek:93 philips:86 braun:56 "
	 "saturn:49"},
	{"appliances.ironing_board", 65, 1, 4034, 1387, 16057, 0, "nika:720 perilla:240 braun:40"},
	{"appliances.kitchen.blender", 427, 1, 5484, 808, 28825, 0,
	 "redmond:333 braun:127 polaris:121 vitek:109 elenberg:79 panasonic:55 bosch:36 "
	 "philips:30"},
	{"appliances.kitchen.coffee_grinder", 21, 1, 3864, 1830, 9880, 0,
	 "bosch:375 delonghi:125 kitfort:125 redmond:125"},
	{"appliances.kitchen.coffee_machine", 119, 1, 35633, 1387, 257404, 0,
	 "delonghi:348 maxwell:130 polaris:109 vitek:109"},
	{"appliances.kitchen.dishwasher", 260, 1, 42515, 21985, 208557, 23,
	 "bosch:287 beko:276 hansa:103 dauscher:57 electrolux:46 indesit:46 gorenje:34 "
	 "hotpoint-ariston:34"},
	{"appliances.kitchen.grill", 194, 1, 16809, 1737, 61772, 0,
	 "redmond:333 tefal:320 delonghi:120 maxwell:67 vitek:40 bosch:27 kitfort:27 "
	 "char-broil:13"},
	{"appliances.kitchen.hob", 238, 1, 24586, 2664, 193566, 0,
	 "dauscher:196 bosch:163 hansa:109 beko:98 gefest:98 electrolux:87 "
	 "hotpoint-ariston:43 midea:43"},
	{"appliances.kitchen.hood", 334, 1, 12937, 3495, 257404, 23,
	 "artel:155 hansa:116 turbo:101 bosch:93 turboair:93 midea:70 dauscher:47 "
	 "samsung:47"},
	{"appliances.kitchen.juicer", 88, 1, 10614, 1340, 81131, 29,
	 "bosch:265 elenberg:176 scarlett:147 philips:88"},
	{"appliances.kitchen.kettle", 390, 3, 4443, 576, 31832, 7,
	 "dauscher:152 tefal:132 elenberg:86 maxwell:66 polaris:66 redmond:60 vitek:53 "
	 "bosch:40"},
	{"appliances.kitchen.meat_grinder", 522, 1, 8682, 2313, 46329, 213,
	 "bosch:134 elenberg:124 dauscher:99 redmond:89 moulinex:84 scarlett:45 polaris:40 "
	 "philips:35"},
	{"appliances.kitchen.microwave", 409, 1, 12856, 3935, 248851, 25,
	 "samsung:165 elenberg:152 lg:127 dauscher:63 hansa:63 ava:57 gorenje:57 arg:51"},
	{"appliances.kitchen.mixer", 238, 1, 11693, 834, 239985, 0,
	 "polaris:196 kitfort:141 scarlett:130 elenberg:120 vitek:87 panasonic:76 bosch:65 "
	 "dauscher:54"},
	{"appliances.kitchen.oven", 419, 1, 17636, 3150, 257404, 0,
	 "artel:222 elenberg:191 asel:117 bosch:74 beko:62 samsung:56 gefest:31 hansa:31"},
	{"appliances.kitchen.refrigerators", 2350, 3, 38196, 6021, 250192, 203,
	 "indesit:176 lg:100 beko:92 atlant:73 samsung:71 dauscher:52 haier:40 midea:38 "
	 "bosch:33 dometic:30"},
	{"appliances.kitchen.steam_cooker", 39, 1, 14804, 3239, 191787, 67,
	 "polaris:400 tefal:400 philips:67 smeg:67"},
	{"appliances.kitchen.toster", 47, 2, 4467, 1364, 28577, 56,
	 "philips:278 scarlett:167 smeg:111 vitek:111"},
	{"appliances.kitchen.washer", 2330, 1, 33406, 6393, 210013, 3,
	 "samsung:341 lg:203 indesit:137 beko:88 midea:69 artel:39 candy:24 haier:20 "
	 "bosch:17 atlant:16"},
	{"appliances.personal.hair_cutter", 142, 1, 3714, 301, 31150, 0,
	 "philips:218 vitek:164 elenberg:91 moser:91"},
	{"appliances.personal.massager", 36, 1, 3160, 1112, 13998, 71,
	 "bradex:286 gezatone:214 smile:143 masstone:71"},
	{"appliances.personal.scales", 153, 2, 1936, 693, 7244, 0,
	 "xiaomi:203 elenberg:153 bene:136 scarlett:136"},
	{"appliances.sewing_machine", 349, 1, 34056, 6368, 257404, 0,
	 "janome:644 jaguar:111 bernina:104 brother:59 chayka:44 elna:15 singer:15 juki:7"},
	{"auto.accessories.alarm", 634, 1, 14313, 3474, 109917, 0,
	 "starline:743 pandora:90 tomahawk:69 cenmax:37 centurion:37 alligator:8 "
	 "scher-khan:8 dowontec:4"},
	{"auto.accessories.compressor", 132, 3, 14424, 2547, 62518, 373,
	 "berkut:157 chameleon:98 denzel:98 magnetta:78"},
	{"auto.accessories.parktronic", 26, 1, 5205, 2293, 19769, 0,
	 "parkmaster:700 erisson:100 flashpoint:100 pioneer:100"},
	{"auto.accessories.player", 983, 1, 13029, 2082, 120435, 319,
	 "pioneer:263 jvc:106 kenwood:61 nakamichi:61 alpine:47 swat:45 sony:43 clarion:11 "
	 "mystery:11 winca:11"},
	{"auto.accessories.radar", 57, 1, 9976, 3967, 65846, 91,
	 "ibox:318 neoline:318 sho-me:182 playme:91"},
	{"auto.accessories.videoregister", 437, 1, 11402, 2585, 101676, 237,
	 "sho-me:189 ibox:142 neoline:89 xiaomi:71 anytek:41 inspector:30 playme:30 "
	 "prestigio:30"},
	{"auto.accessories.winch", 42, 1, 47444, 22188, 98484, 0, "t-max:923 denzel:77"},
	{"computers.components.cooler", 75, 2, 4125, 236, 24825, 0,
	 "almacom:207 deepcool:172 id-cooling:172 midea:172"},
	{"computers.components.cpu", 98, 1, 23592, 3102, 120171, 0, "intel:711 amd:289"},
	{"computers.components.hdd", 171, 1, 5849, 2036, 57566, 15,
	 "kingston:318 transcend:242 crucial:136 apacer:91 toshiba:61 gigabyte:30 "
	 "seagate:30 hitachi:15"},
	{"computers.components.memory", 111, 1, 8531, 693, 134856, 186,
	 "hyperx:302 geil:209 kingston:163 crucial:70"},
	{"computers.components.motherboard", 106, 1, 16796, 3487, 187529, 0,
	 "asus:366 gigabyte:268 asrock:244 msi:122"},
	{"computers.components.power_supply", 75, 1, 7108, 1096, 24337, 0,
	 "huntkey:241 gigabyte:207 aerocool:172 cougar:138"},
	{"computers.components.videocards", 305, 1, 40629, 4375, 257404, 0,
	 "palit:322 asus:195 gigabyte:169 msi:119 powercolor:85 asrock:25 sinotex:25 "
	 "gainward:17"},
	{"computers.desktop", 1050, 4, 57922, 459, 257404, 51,
	 "pulser:259 acer:151 zeta:85 hp:54 netechnics:54 lenovo:48 sv:34 avalon:31 "
	 "smart:31 dxracer:28"},
	{"computers.ebooks", 57, 1, 18210, 8971, 65436, 0, "pocketbook:909 amazon:91"},
	{"computers.notebook", 3395, 1, 71964, 738, 257404, 3,
	 "acer:281 lenovo:248 hp:181 asus:136 apple:71 dell:37 xiaomi:20 msi:19 prestigio:3 "
	 "deepcool:2"},
	{"computers.peripherals.camera", 3, 1, 7842, 7057, 12547, 0, "logitech:1000"},
	{"computers.peripherals.keyboard", 158, 1, 4383, 391, 41968, 98,
	 "defender:246 kingston:115 rapoo:82 redragon:66 sven:66 x-game:66 delux:49 "
	 "logitech:49"},
	{"computers.peripherals.monitor", 246, 1, 23572, 5256, 257404, 0,
	 "acer:242 samsung:189 lg:126 qmax:116 hp:95 aoc:63 asus:53 philips:42"},
	{"computers.peripherals.mouse", 163, 1, 3476, 301, 21824, 159,
	 "logitech:175 defender:127 hp:79 kingston:79 delux:63 trust:48 x-game:48 asus:32"},
	{"computers.peripherals.printer", 282, 2, 17679, 5661, 238164, 9,
	 "hp:349 epson:339 canon:156 samsung:101 xerox:46"},
	{"construction.components.faucet", 49, 1, 15313, 1635, 257404, 53,
	 "decoroom:368 lemark:158 grohe:105 am.pm:53"},
	{"construction.tools.drill", 540, 2, 12498, 1433, 162266, 230,
	 "bosch:201 dewalt:158 makita:110 crown:105 alteco:96 dwt:29 total:19 p.i.t.:14"},
	{"construction.tools.generator", 186, 2, 22328, 1702, 156268, 42,
	 "huter:139 karcher:139 tefal:139 polaris:125 elenberg:97 philips:83 scarlett:56 "
	 "denzel:42"},
	{"construction.tools.light", 106, 3, 2681, 245, 45286, 488,
	 "eco:98 lezard:73 mantra:73 garant:49"},
	{"construction.tools.painting", 57, 1, 8639, 1170, 97196, 136,
	 "fubag:182 stels:182 alteco:136 wagner:136"},
	{"construction.tools.pump", 142, 1, 9880, 2384, 143356, 509,
	 "leo:200 magnetta:145 alteco:36 pedrollo:36"},
	{"construction.tools.saw", 419, 4, 24072, 4213, 257404, 247,
	 "huter:185 stihl:117 eurolux:68 makita:68 bosch:62 alteco:43 dewalt:43 dwt:31"},
	{"construction.tools.soldering", 3, 1, 1214, 1092, 1942, 700, ""},
	{"construction.tools.welding", 246, 1, 25344, 4911, 257404, 337,
	 "magnetta:242 denzel:74 eurolux:63 edon:53 redbo:53 huter:42 laston:42 forza:32"},
	{"country_yard.cultivator", 18, 1, 21788, 11372, 110993, 143, "huter:571 ryobi:143 viking:143"},
	{"country_yard.furniture.hammok", 13, 1, 14715, 2259, 36563, 0, "ventara:600 palisad:400"},
	{"country_yard.lawn_mower", 5, 1, 11237, 9041, 19883, 0, "bosch:500 gardena:500"},
	{"electronics.audio.acoustic", 189, 3, 40485, 1688, 257404, 27,
	 "yamaha:192 fender:178 sony:123 denn:82 cort:41 cortland:41 kef:41 bose:27"},
	{"electronics.audio.headphone", 3008, 1, 10188, 79, 51121, 9,
	 "apple:337 xiaomi:225 jbl:87 samsung:83 elari:62 sony:45 huawei:25 plantronics:14 "
	 "marshall:10 pioneer:10"},
	{"electronics.audio.microphone", 80, 1, 6432, 322, 64336, 129,
	 "trust:323 ritmix:97 wster:97 hoco:65"},
	{"electronics.audio.music_tools.piano", 52, 1, 29165, 4687, 257404, 0,
	 "yamaha:300 cortland:200 alesis:100 m-audio:100"},
	{"electronics.audio.subwoofer", 590, 1, 10105, 903, 61777, 263,
	 "pioneer:136 pride:110 alpine:57 kicx:57 hertz:48 edge:44 alphard:39 jvc:31"},
	{"electronics.camera.photo", 70, 1, 80710, 13897, 256705, 0, "canon:750 nikon:250"},
	{"electronics.camera.video", 85, 1, 29352, 4147, 257404, 30,
	 "xiaomi:333 gopro:212 panasonic:152 sjcam:91"},
	{"electronics.clocks", 3513, 2, 33177, 1155, 257404, 158,
	 "casio:194 apple:179 samsung:101 xiaomi:64 tissot:48 garmin:46 wonlex:25 orient:24 "
	 "aimoto:19 longines:13"},
	{"electronics.smartphone", 28833, 1, 47943, 3431, 256249, 1,
	 "samsung:321 apple:299 xiaomi:181 huawei:93 oppo:33 vivo:15 meizu:14 nokia:8 "
	 "oneplus:7 sony:6 honor:5 bq:3"},
	{"electronics.tablet", 595, 3, 37760, 4167, 257404, 0,
	 "samsung:322 apple:296 huawei:87 prestigio:87 lenovo:48 bq:39 wacom:30 acer:26"},
	{"electronics.telephone", 809, 2, 3185, 599, 11359, 0,
	 "nokia:355 texet:204 bq:102 panasonic:61 philips:48 inoi:45 prestigio:42 fly:32 "
	 "maxvi:32 jinga:26"},
	{"electronics.video.projector", 75, 1, 70581, 10675, 243334, 0,
	 "epson:261 viewsonic:174 byintek:130 cinemood:130"},
	{"electronics.video.tv", 3375, 2, 46038, 9035, 257404, 0,
	 "samsung:374 artel:178 lg:122 haier:70 sony:49 yasin:40 kivi:34 tcl:27 "
	 "changhong:15 xiaomi:13"},
	{"furniture.bathroom.bath", 49, 1, 20583, 5895, 66163, 368,
	 "cersanit:211 sharking:211 triton:105 estap:53"},
	{"furniture.bathroom.toilet", 54, 1, 8489, 3279, 38339, 95,
	 "cersanit:286 santeri:238 sanita:190 rosa:95"},
	{"furniture.bedroom.bed", 817, 3, 20749, 2546, 119800, 421,
	 "sv:196 brw:130 incanto:66 stendmebel:41 bts:32 polini:22 lorelli:19 domini:13 "
	 "romack:13 chicco:9"},
	{"furniture.bedroom.blanket", 34, 1, 4200, 460, 11852, 231,
	 "ikea:308 alvitek:231 askona:154 verossa:77"},
	{"furniture.bedroom.pillow", 59, 1, 2403, 324, 10460, 304,
	 "belashoff:304 vegas:217 altinbasak:43 ikea:43"},
	{"furniture.kitchen.chair", 264, 2, 6275, 924, 51131, 353,
	 "zeta:108 domini:78 shenma:69 joie:49 selby:49 ikea:39 lorelli:39 mamadoma:39"},
	{"furniture.kitchen.table", 323, 4, 23438, 3243, 257404, 496,
	 "bts:160 domini:72 brw:40 aero:32 ersport:32 komfort-s:32 mebelswow-rn:32 sv:32"},
	{"furniture.living_room.cabinet", 918, 2, 28015, 3959, 230119, 654,
	 "sv:149 brw:144 bts:37 imperial:8 pinskdrev:6 lubimyjdom:3"},
	{"furniture.living_room.chair", 122, 2, 17446, 4629, 78248, 404,
	 "heyner:213 lorelli:191 siger:64 komfort-s:43"},
	{"furniture.living_room.sofa", 900, 1, 62235, 21774, 257404, 700,
	 "rals:74 komfort-s:45 imperial:11 divalux:7 asm:4 bellamebel:4 mebberykz:4 "
	 "rivalli:4"},
	{"furniture.universal.light", 39, 1, 41120, 1619, 105692, 200,
	 "mantra:533 futura:133 lidonet:67 preciosa:67"},
	{"kids.carriage", 471, 1, 17191, 2826, 205513, 143,
	 "belecoo:242 wingoffly:121 alis:71 rant:60 coballe:55 chicco:49 lorelli:49 anex:38"},
	{"kids.dolls", 106, 1, 4071, 576, 22648, 341, "llorens:415 mattel:98 barbie:49 sariel:49"},
	{"kids.fmcg.diapers", 59, 1, 1311, 236, 3540, 43,
	 "huggies:565 merries:174 goo.n:87 pampers:87"},
	{"kids.skates", 176, 1, 33852, 1737, 257404, 132,
	 "xiaomi:265 kugoo:176 maomaoku:88 longway:74 cityrover:59 freefeet:29 niio:29 "
	 "segway:29"},
	{"kids.swing", 54, 1, 20007, 3474, 102902, 333, "pituso:190 joie:143 lorelli:143 i-baby:48"},
	{"kids.toys", 238, 3, 2793, 394, 11939, 304,
	 "chicco:130 disney:98 grow-with-me:54 orange:54 bestoy:43 rastar:43 basik:33 hb:33"},
	{"medicine.tools.tonometer", 34, 1, 4701, 2358, 13998, 154, "omron:846"},
	{"sport.bicycle", 420, 5, 41981, 3473, 257381, 36,
	 "axis:193 giant:193 phoenix:79 torrent:64 sunday:57 bafang:36 cube:36 stels:36"},
	{"sport.ski", 5, 1, 20646, 7069, 53499, 0, "anon:500 elan:500"},
	{"sport.snowboard", 13, 2, 20831, 9248, 55971, 0, "ride:400 biwec:200 burton:200 thule:200"},
	{"sport.tennis", 5, 2, 6358, 2177, 16473, 500, "head:500"},
	{"sport.trainer", 59, 2, 38478, 4169, 187392, 261,
	 "housefit:478 fitlux:87 konlega:87 onlitop:43"},
	{"stationery.cartrige", 49, 1, 1188, 693, 6993, 0, "hp:947 samsung:53"},
};

const uint32_t ec_shop_ncodes = sizeof(ec_shop_codes) / sizeof(ec_shop_codes[0]);

/* Shares known by category_id; the other ids are made up. */
const EcShopId ec_shop_ids[] = {
	{2053013555631882655, 28833, "electronics.smartphone"},
	{2053013553559896355, 5294, ""},
	{2053013558920217191, 3395, "computers.notebook"},
	{2053013554415534427, 3375, "electronics.video.tv"},
	{2053013554658804075, 3008, "electronics.audio.headphone"},
	{2053013563810775923, 2330, "appliances.kitchen.washer"},
	{2053013565983425517, 2329, "appliances.environment.vacuum"},
	{2053013563651392361, 2304, ""},
	{2053013553341792533, 1883, "electronics.clocks"},
	{2053013561579406073, 1630, "electronics.clocks"},
	{2053013563911439225, 1616, "appliances.kitchen.refrigerators"},
	{2053013565639492569, 1074, "apparel.shoes"},
	{2053013553970938175, 983, "auto.accessories.player"},
};

const uint32_t ec_shop_nids = sizeof(ec_shop_ids) / sizeof(ec_shop_ids[0]);

/* Brands of the categories without a code, per mille of their events. */
const char *const ec_shop_blank_brands =
	"lucente:36 xiaomi:30 cordiant:28 bosch:20 triangle:20 dauscher:15 nokian:15 sony:14 "
	"artel:14 sokolov:14 yokohama:13 stels:12 luminarc:11 gerat:11 skad:11 samsung:11 force:10 "
	"redmond:10 vitek:9 sv:8 polaris:7 bars:7 janome:7 philips:6 viatti:6 kipardo:6 omron:5 "
	"gipfel:5 svc:5 bridgestone:5 brw:5 omabelle:4 bts:4 karcher:4 granhel:4 maxxis:4 "
	"aeroforce:4 matador:4 elenberg:4 scarlett:4";
