// swift-tools-version: 6.0

import PackageDescription

let package = Package(
    name: "multicast-poke",
    platforms: [.iOS(.v18), .macOS(.v15), .tvOS(.v18), .watchOS(.v11), .visionOS(.v2)],
    products: [
        .library(name: "MulticastPoke", targets: ["MulticastPoke"])
    ],
    dependencies: [
        .package(url: "https://github.com/grpc/grpc-swift-2.git", from: "2.3.0"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", from: "2.6.0"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", from: "2.2.0"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.31.0"),
        // Brought by the transport in any case; here for the types of its errors and options.
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.96.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.34.0"),
    ],
    targets: [
        .target(
            name: "PokeV1",
            dependencies: [
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        .target(
            name: "MulticastPoke",
            dependencies: [
                "PokeV1",
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        // Not products: whoever depends on this package doesn't build them.
        .executableTarget(name: "watch", dependencies: ["MulticastPoke"], path: "Examples/Watch"),
        .executableTarget(name: "publish", dependencies: ["MulticastPoke"], path: "Examples/Publish"),
        .executableTarget(name: "end", dependencies: ["MulticastPoke"], path: "Examples/End"),
        .executableTarget(name: "reconnect", dependencies: ["MulticastPoke"], path: "Examples/Reconnect"),
        .testTarget(
            name: "MulticastPokeTests",
            dependencies: [
                "MulticastPoke", "PokeV1",
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
