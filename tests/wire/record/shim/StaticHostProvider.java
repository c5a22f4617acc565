package org.apache.zookeeper.client;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Collection;

/** Stands in for the class of the 3.4 client, which cannot read addresses as a JVM of 14 or younger prints them. */
public final class StaticHostProvider implements HostProvider {
    private final InetSocketAddress only;

    public StaticHostProvider(Collection<InetSocketAddress> servers) {
        only = new InetSocketAddress(InetAddress.getLoopbackAddress(), servers.iterator().next().getPort());
    }

    public int size() {
        return 1;
    }

    public InetSocketAddress next(long spinDelay) {
        return only;
    }

    public void onConnected() {
    }
}
